import type { Scalar } from "yaml";

/** What goes on where a line ends, or begins so that it plainly goes on the one before: a command that somebody has broken into lines. */
const GOES_ON = /(^|\s)(-|--|\\|&&?|\|\|?|;|[|&({[,=+])$/;
const IS_GOING_ON = /^(-|&&|\|\||[|;>)}\]"'$]|[A-Za-z_]\w*=)/;

/**
 * The first two lines that YAML makes one of though they look like two commands; undefined where there are none. `text` is the file that
 * `node` was read from: what it was read to has forgotten its line ends.
 */
export function findFoldedLines(node: Scalar, text: string): [first: string, second: string] | undefined {
  if (node.type === undefined || node.type === "BLOCK_LITERAL" || !node.range) return undefined;
  const marks = node.type.startsWith("QUOTE") ? 1 : 0;
  const [start, end] = [node.range[0] + marks, node.range[1] - marks];
  const lines = text.slice(start, end).replaceAll("\r", "").split("\n");
  if (node.type === "BLOCK_FOLDED") lines.shift();
  const base = lines.find((line) => line.trim() !== "")?.search(/\S/) ?? 0;
  for (const [index, line] of lines.entries()) {
    const [first, second] = [line, lines[index + 1] ?? ""];
    if (first.trim() === "" || second.trim() === "") continue;
    // Lines that are indented further keep their ends.
    const isKept = node.type === "BLOCK_FOLDED" && [first, second].some((each) => each.search(/\S/) > base);
    if (!isKept && !GOES_ON.test(first.trimEnd()) && !IS_GOING_ON.test(second.trim())) return [first.trim(), second.trim()];
  }
  return undefined;
}
