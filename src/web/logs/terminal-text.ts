/** Text of one look: `style` are names of classes, separated by blanks, none for plain text. */
export type Piece = readonly [text: string] | readonly [text: string, style: string];

/**
 * https://www.ecma-international.org/publications-and-standards/standards/ecma-48/: control sequences, then control strings, then the rest. A
 * string holds none of the characters that begin one, or a line of such would be read again from each of them.
 */
const ESCAPE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f]{0,4096}(?:\x07|\x1b\\|\x9c)|\x1b[ -/]{0,8}[0-~]?|\x9b/g;

/** What has no look of its own, or changes that of what stands around it: shown by name, so that nothing hides. */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]+/g;

/** Of one line; its rest has one look. Each piece costs a hundred times its byte in the log, and a page has 2000 lines. */
export const MAX_PIECES = 200;

/**
 * What a terminal would show of one line of a log: of what was overwritten after a carriage return the last, colours and weights, no other
 * escape sequence. Each line is read for itself: it looks the same whether those before it were read or not.
 */
export function readTerminalLine(line: string): Piece[] {
  const text = lastWritten(line);
  const pieces: Piece[] = [];
  const look = new Look();
  let end = 0;
  for (const match of text.matchAll(ESCAPE)) {
    if (pieces.length >= MAX_PIECES) break;
    addPieces(pieces, text.slice(end, match.index), look.classes);
    end = match.index + match[0].length;
    if (match[2] === "m") look.select(match[1] ?? "");
  }
  addPieces(pieces, text.slice(end).replace(ESCAPE, ""), look.classes);
  return pieces;
}

/** The same without looks. */
export function plainTerminalLine(line: string): string {
  return lastWritten(line).replace(ESCAPE, "");
}

/** A progress bar writes its line again and again. */
function lastWritten(line: string): string {
  const end = line.replace(/\r+$/, "");
  return end.slice(end.lastIndexOf("\r") + 1);
}

function addPieces(pieces: Piece[], text: string, classes: string): void {
  let end = 0;
  const add = (part: string, style: string) => {
    if (part !== "") pieces.push(style === "" ? [part] : [part, style]);
  };
  for (const match of text.matchAll(UNSEEN)) {
    if (pieces.length >= MAX_PIECES) break;
    add(text.slice(end, match.index), classes);
    end = match.index + match[0].length;
    add(namesOf(match[0]), "control");
  }
  add(text.slice(end).replace(UNSEEN, namesOf), classes);
}

function namesOf(characters: string): string {
  return Array.from(characters, nameOf).join("");
}

function nameOf(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Select Graphic Rendition, as far as pages show it: 16 colours, to which the others are brought. */
class Look {
  #foreground = "";
  #background = "";
  readonly #weights = new Set<string>();

  get classes(): string {
    return [this.#foreground, this.#background, ...this.#weights].filter((name) => name !== "").join(" ");
  }

  select(parameters: string): void {
    const codes = parameters.slice(0, 256).split(/[;:]/).map(Number);
    for (let index = 0; index < codes.length; index += 1) {
      const code = codes[index] ?? 0;
      if (code === 38 || code === 48) {
        const { colour, taken } = extendedColour(codes.slice(index + 1));
        this.#paint(code === 48, colour);
        index += taken;
      } else this.#selectOne(code);
    }
  }

  #selectOne(code: number): void {
    if (code === 0) {
      this.#foreground = "";
      this.#background = "";
      this.#weights.clear();
    } else if (code in ON) this.#weights.add(ON[code] as string);
    else if (code in OFF) for (const name of OFF[code] as string[]) this.#weights.delete(name);
    else if (code >= 30 && code <= 37) this.#paint(false, code - 30);
    else if (code === 39) this.#foreground = "";
    else if (code >= 40 && code <= 47) this.#paint(true, code - 40);
    else if (code === 49) this.#background = "";
    else if (code >= 90 && code <= 97) this.#paint(false, code - 82);
    else if (code >= 100 && code <= 107) this.#paint(true, code - 92);
  }

  #paint(isBackground: boolean, colour: number | undefined): void {
    if (colour === undefined) return;
    if (isBackground) this.#background = `on-${colour % 8}`;
    else this.#foreground = `ink-${colour}`;
  }
}

const ON: Record<number, string> = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "struck" };
const OFF: Record<number, string[]> = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["struck"] };

/** `5;N` of 256 colours, or `2;R;G;B`. */
function extendedColour([kind, ...values]: readonly number[]): { colour: number | undefined; taken: number } {
  if (kind === 5) return { colour: of256(values[0] ?? -1), taken: 2 };
  if (kind === 2) return { colour: nearest(values[0] ?? 0, values[1] ?? 0, values[2] ?? 0), taken: 4 };
  return { colour: undefined, taken: 0 };
}

function of256(index: number): number | undefined {
  if (!(index >= 0 && index <= 255)) return undefined;
  if (index < 16) return index;
  if (index >= 232) return nearest(...(Array(3).fill(8 + (index - 232) * 10) as [number, number, number]));
  const cube = index - 16;
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  return nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

/** Of the 16: which of red, green and blue are strong, and whether it is bright. */
function nearest(red: number, green: number, blue: number): number {
  const most = Math.max(red, green, blue);
  if (most < 48) return 0;
  const isGrey = most - Math.min(red, green, blue) < 32;
  if (isGrey) return most < 128 ? 8 : most < 208 ? 7 : 15;
  const strong = (value: number, bit: number) => (value > most * 0.6 ? bit : 0);
  return strong(red, 1) + strong(green, 2) + strong(blue, 4) + (most > 200 ? 8 : 0);
}
