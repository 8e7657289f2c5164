import type { ArtifactLimits } from "./artifact-limits.ts";

/** What a page, a terminal, a store or Windows could take for something else: control and format characters, and the other slash. */
const TROUBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\\]/gu;

/** The name of a directory entry as text: as it is, or with `%0A` for bytes that are no printable ASCII where it is no clean UTF-8. */
export function printableName(raw: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
    if (text.search(TROUBLE) === -1) return text;
  } catch {
    // Not UTF-8: said in its bytes, below.
  }
  return Array.from(raw, (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== 0x25 && byte !== 0x5c ? String.fromCharCode(byte) : percent(byte),
  ).join("");
}

export type TakenName = { path: string } | { why: string };

/**
 * Where the files of one upload go, by the names that a collector says and nobody trusts: always below their directory, never two in one
 * place, not even on a file system that takes `A` for `a`.
 */
export class ArtifactNames {
  readonly #limits: ArtifactLimits;
  readonly #files = new Map<string, number>();
  readonly #directories = new Set<string>();

  constructor(limits: ArtifactLimits) {
    this.#limits = limits;
  }

  /** `why`: a clause for people, where it can't be kept. */
  take(name: string): TakenName {
    const parts = name.split("/");
    const { depth, nameBytes, pathBytes, files } = this.#limits;
    if (this.#files.size >= files) return { why: `more than ${files} files` };
    if (parts.some((part) => part === "" || part === "." || part === "..")) return { why: "its path leaves its directory" };
    if (parts.length > depth) return { why: `deeper than ${depth} directories` };
    const safe = parts.map(safePart);
    if (safe.some((part) => bytes(part) > nameBytes)) return { why: `a name of more than ${nameBytes} bytes` };
    const path = this.#apart(safe);
    if (path === undefined) return { why: "a file and a directory have its name" };
    if (bytes(path) > pathBytes) return { why: `a path of more than ${pathBytes} bytes` };
    const folded = path.split("/").map(fold);
    const above = folded.slice(1).map((_, index) => folded.slice(0, index + 1).join("/"));
    const isOneMore = above.some((directory) => !this.#directories.has(directory));
    // All are remembered: a deep directory for each file would take thirty times the memory.
    if (isOneMore && this.#directories.size + above.length > files) return { why: `more than ${files} directories` };
    for (const directory of above) this.#directories.add(directory);
    this.#files.set(folded.join("/"), 1);
    return { path };
  }

  /** With a number where the name is another file's already; undefined where a directory is in the way, or it would lie in a file. */
  #apart(parts: readonly string[]): string | undefined {
    const folded = parts.map(fold);
    for (let length = 1; length < folded.length; length += 1) if (this.#files.has(folded.slice(0, length).join("/"))) return undefined;
    const key = folded.join("/");
    if (this.#directories.has(key)) return undefined;
    const seen = this.#files.get(key);
    if (seen === undefined) return parts.join("/");
    const last = parts.at(-1) ?? "";
    const dot = last.lastIndexOf(".");
    const [stem, extension] = dot > 0 ? [last.slice(0, dot), last.slice(dot)] : [last, ""];
    for (let number = seen + 1; ; number += 1) {
      const other = [...parts.slice(0, -1), `${stem}~${number}${extension}`];
      const otherKey = other.map(fold).join("/");
      if (this.#files.has(otherKey) || this.#directories.has(otherKey)) continue;
      this.#files.set(key, number);
      return other.join("/");
    }
  }
}

function safePart(part: string): string {
  return part.toWellFormed().replace(TROUBLE, (character) => Array.from(new TextEncoder().encode(character), percent).join(""));
}

/** As a file system does that takes no notice of case. */
function fold(part: string): string {
  return part
    .normalize("NFKC")
    .toUpperCase()
    .toLowerCase()
    .replace(/[. ]+$/, "");
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
