import type { LogLine } from "./build-api.ts";

/** https://www.ecma-international.org/publications-and-standards/standards/ecma-48/, 8.3.117 */
const CODES: Record<string, number> = { bold: 1, dim: 2, italic: 3, underline: 4, struck: 9, control: 2 };

/**
 * A line of a log for a terminal, which obeys nothing in it. Looks are written anew, but for reversed colours: those are our own words'.
 */
export function renderTerminalLine({ pieces, omitted }: LogLine, hasColours: boolean): string {
  const text = pieces.map(([part, style = ""]) => {
    const codes = hasColours ? style.split(" ").flatMap(codeOf) : [];
    return codes.length === 0 ? withoutControls(part) : `\x1b[${codes.join(";")}m${withoutControls(part)}\x1b[0m`;
  });
  return omitted === undefined ? text.join("") : `${text.join("")} ... (${omitted} bytes more)`;
}

/** Words of ours. */
export function renderTerminalNote(text: string, hasColours: boolean): string {
  const words = withoutControls(text);
  return hasColours ? `\x1b[7m ${words} \x1b[0m` : words;
}

function codeOf(name: string): number[] {
  const code = CODES[name];
  if (code !== undefined) return [code];
  const [, kind, number] = /^(ink|on)-(\d{1,2})$/.exec(name) ?? [];
  if (number === undefined) return [];
  if (kind === "on") return [40 + (Number(number) % 8)];
  return [Number(number) < 8 ? 30 + Number(number) : 82 + Number(number)];
}

export function withoutControls(text: string): string {
  return text.replace(/(?!\t)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "?");
}
