import { compareQuantities } from "./quantity.ts";

/** True for a refusal by a namespace's quota, whether it is used up or too small for what is requested. */
export function isQuotaExceeded(message: string): boolean {
  return message.includes("exceeded quota");
}

/**
 * True for a refusal by a quota that is merely used up; false for one that no emptying of the namespace would help: more is requested
 * than the quota's limit. The words are those of the API server's ResourceQuota plugin.
 */
export function isQuotaFull(message: string): boolean {
  const match = /exceeded quota: [^,]+, requested: ([^ ]*), used: ([^ ]*), limited: ([^ ]*)/.exec(message);
  if (!match) return false;
  const requested = parseAmounts(match[1] ?? "");
  const limited = parseAmounts(match[3] ?? "");
  return [...requested].every(([resource, amount]) => compareQuantities(amount, limited.get(resource) ?? amount) <= 0);
}

function parseAmounts(text: string): Map<string, string> {
  return new Map(
    text.split(",").flatMap((entry) => {
      const separator = entry.lastIndexOf("=");
      return separator < 0 ? [] : [[entry.slice(0, separator), entry.slice(separator + 1)] as const];
    }),
  );
}
