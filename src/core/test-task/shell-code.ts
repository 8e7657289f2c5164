/** A line of a shell script, without what is no code on it. */
export interface CodeLine {
  /** Counted from 1. */
  line: number;
  /** Comments are gone, and texts between quotation marks are blank; lines that go on in the next, as after `\` or `|`, are one with it. */
  code: string;
}

/** Quotation marks that are open, or the end of a here-document that is. */
type Open = "'" | '"' | undefined;

/**
 * Reads a shell script so far that words of it can be told from texts in it; here-documents are left out. No parser: of what it does not
 * understand it sees too little rather than too much.
 */
export function readShellCode(script: string): CodeLine[] {
  const lines: CodeLine[] = [];
  const ends: string[] = [];
  let open: Open;
  let continued: CodeLine | undefined;
  for (const [index, raw] of script.split("\n").entries()) {
    if (open === undefined && ends.length > 0) {
      if (raw.replace(/^\t+/, "") === ends[0]) ends.shift();
      continue;
    }
    const read = readLine(raw, open);
    open = read.open;
    ends.push(...read.ends);
    const goesOn = open !== undefined || /(\\|\||&&)\s*$/.test(read.code);
    const code = read.code.replace(/\\$/, " ");
    if (continued) continued.code += ` ${code}`;
    else lines.push({ line: index + 1, code });
    continued = goesOn ? lines.at(-1) : undefined;
  }
  return lines;
}

const HERE_DOCUMENT = /^<<-?[ \t]*(?:"([^"]+)"|'([^']+)'|\\?([A-Za-z_][A-Za-z0-9_]*))/;

function readLine(raw: string, before: Open): { code: string; open: Open; ends: string[] } {
  let open = before;
  let code = "";
  const ends: string[] = [];
  for (let index = 0; index < raw.length; index++) {
    const character = raw[index] ?? "";
    if (open !== undefined) {
      if (character === open) open = undefined;
      else if (open === '"' && character === "\\") index++;
      code += open === undefined ? "_" : " ";
    } else if (character === "\\") {
      if (index === raw.length - 1) return { code: `${code}\\`, open, ends };
      index++;
      code += "_";
    } else if (character === "#" && /(^|[\s;&|(])$/.test(code)) {
      break;
    } else if (character === "'" || character === '"') {
      open = character;
      code += "_";
    } else if (character === "<" && raw[index + 1] === "<" && raw[index - 1] !== "<" && raw[index + 2] !== "<") {
      const [word, doubly, singly, bare] = HERE_DOCUMENT.exec(raw.slice(index)) ?? [];
      const end = doubly ?? singly ?? bare;
      if (end !== undefined) ends.push(end);
      code += "<<";
      index += (word?.length ?? 2) - 1;
    } else code += character;
  }
  return { code, open, ends };
}
