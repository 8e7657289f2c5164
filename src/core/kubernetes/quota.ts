import { compareQuantities } from "./quantity.ts";

/** True for a refusal by a namespace's quota, whether it is used up or too small for what is requested. */
export function isQuotaExceeded(message: string): boolean {
  return message.includes("exceeded quota");
}

/** What each build has some of, whatever its task says. */
const COUNTS = /^(?:pods|count\/.*)$/;

/**
 * True for a refusal by a quota that is merely used up, or whose count of objects is zero: so somebody closes a namespace for a while, and
 * no task could ask for less. False where more is requested than the quota's limit. The words are those of the API server's ResourceQuota
 * plugin.
 */
export function isQuotaFull(message: string): boolean {
  return tooMuch(message)?.resources.length === 0;
}

/** What is more than the quota would ever allow, in short; undefined where that is not what the message is about. */
export function quotaExcess(message: string): string | undefined {
  const excess = tooMuch(message);
  if (!excess || excess.resources.length === 0) return undefined;
  const each = excess.resources.map(({ resource, amount, limit }) => `${resource} ${amount} is requested, the limit is ${limit}`);
  return `more than quota ${excess.quota} allows - ${each.join(", ")}`;
}

function tooMuch(message: string) {
  const match = /exceeded quota: ([^,]+), requested: ([^ ]*), used: [^ ]*, limited: ([^ ]*)/.exec(message);
  if (!match) return undefined;
  const limited = parseAmounts(match[3] ?? "");
  const resources = [...parseAmounts(match[2] ?? "")].flatMap(([resource, amount]) => {
    const limit = limited.get(resource);
    if (limit === undefined || (COUNTS.test(resource) && compareQuantities(limit, "0") === 0)) return [];
    return compareQuantities(amount, limit) > 0 ? [{ resource, amount, limit }] : [];
  });
  return { quota: match[1] ?? "", resources };
}

function parseAmounts(text: string): Map<string, string> {
  return new Map(
    text.split(",").flatMap((entry) => {
      const separator = entry.lastIndexOf("=");
      return separator < 0 ? [] : [[entry.slice(0, separator), entry.slice(separator + 1)] as const];
    }),
  );
}
