/** What others have written (files, git and the server behind it), without the control characters that a terminal would obey. */
export function printable(line: string): string {
  return line.replaceAll(/\p{C}/gu, "?");
}
