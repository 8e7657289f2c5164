import { readCut } from "./cut-text.ts";
import type { Masker } from "./masking.ts";

/**
 * The same data with every text in it masked; names of members stay. A text that was cut may end within a secret, which nothing finds: what
 * may be the beginning of one is left out there.
 */
export function maskValues<T>(value: T, masker: Masker): T {
  return mask(value, masker) as T;
}

function mask(value: unknown, masker: Masker): unknown {
  if (typeof value === "string") return maskText(value, masker);
  if (Array.isArray(value)) return value.map((item) => mask(item, masker));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, mask(member, masker)]));
}

/** See `maskValues`. */
export function maskText(text: string, masker: Masker): string {
  const masking = masker.begin();
  const cut = readCut(text);
  const parts = [...masking.write(new TextEncoder().encode(cut ? cut.kept : text)), ...(cut ? [] : masking.end())];
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode() + (cut?.mark ?? "");
}
