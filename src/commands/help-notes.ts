import { Help } from "commander";

/** As commander's own where it does not know the terminal's. */
const WIDTH = 80;

/**
 * What stands below a command's options in its help, for `addHelpText("after", ...)`: paragraphs as wide as all of the help. Indented
 * lines, of tables and lists, stay as they are, so they must not be longer.
 */
export function helpNotes(text: string): string {
  const width = process.stdout.columns ?? WIDTH;
  const paragraphs = text.trim().split("\n\n");
  return `\n${paragraphs.map((paragraph) => wrap(paragraph, width)).join("\n\n")}`;
}

function wrap(paragraph: string, width: number): string {
  const lines: string[] = [];
  for (const line of paragraph.split("\n")) {
    const isIndented = line.startsWith(" ");
    const last = lines.at(-1);
    if (last === undefined || isIndented || last.startsWith(" ") || last.endsWith(":")) lines.push(line);
    else lines[lines.length - 1] = `${last} ${line}`;
  }
  return lines.map((line) => (line.startsWith(" ") ? line : new Help().boxWrap(line, width))).join("\n");
}
