/**
 * A word of a POSIX shell (bash, zsh, dash), whatever `text` holds. A line is pasted into a terminal, so that nothing in it may be a key:
 * control characters, and those that turn the direction of text, are written as escapes of `$'...'`.
 */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  const isPlain = !/[^\x20-\x7e\n]/u.test(text);
  if (isPlain) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${text.replace(/[\\']|[^\x20-\x7e]/gu, escapeCharacter)}'`;
}

function escapeCharacter(character: string): string {
  if (character === "\\" || character === "'") return `\\${character}`;
  if (character === "\n") return "\\n";
  // By their bytes: `\u` means other things in other shells and locales.
  return [...new TextEncoder().encode(character)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

/** JSON in ASCII, fit to be pasted as the lines of a here-document: no line of it is a word alone. */
export function asciiJson(value: unknown): string {
  const written = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, 2).replace(/[^\x20-\x7e\n]/g, written);
}
