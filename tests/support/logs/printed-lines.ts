import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

const LINE_BYTES = 100;
/** What a runtime has read and not written, at most, is not more. */
const MAX_GAP_LINES = 700;

/** Line `index` of what is printed, as `PRINTED_LINE` prints it. */
export const printedLine = (index: number) => `${String(index).padStart(8, "0")} ${"x".repeat(LINE_BYTES - 10)}\n`;
/** Of perl, with the index in `$i`. */
export const PRINTED_LINE = `sprintf("%08d ", $i) . ("x" x ${LINE_BYTES - 10}) . "\\n"`;

/** Holds a log of such lines against what was printed. Throws where a line comes twice. */
export class PrintedLines {
  /** What is missing in each place; undefined where that can't be told, or is much. */
  readonly gaps: (string | undefined)[] = [];
  #next = 0;
  #part: string | undefined;
  #text = "";

  take(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      const index = Number(line.slice(0, 8));
      if (`${line}\n` === printedLine(index)) this.#takeWhole(index);
      else if (this.#part === undefined) this.#part = line;
      // Two of them, and nothing whole between.
      else this.gaps.push(undefined);
    }
  }

  /** There were so many lines. */
  end(lines: number): void {
    if (this.#text !== "") this.gaps.push(undefined);
    this.#takeWhole(lines);
  }

  #takeWhole(index: number): void {
    if (index < this.#next) throw new Error(`line ${index} once more, after line ${this.#next - 1}`);
    const part = this.#part === undefined ? "" : `${this.#part}\n`;
    this.#part = undefined;
    if (index > this.#next || part !== "") this.gaps.push(this.#gap(index, part));
    this.#next = index + 1;
  }

  #gap(index: number, part: string): string | undefined {
    if (index - this.#next > MAX_GAP_LINES) return undefined;
    const text = Array.from({ length: index - this.#next }, (_, at) => printedLine(this.#next + at)).join("");
    return text.endsWith(part) ? text.slice(0, text.length - part.length) : undefined;
  }
}

/** What each file of a container's log on the node holds, those that were rotated and kept included. */
export async function filesOnNode(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(join(directory, name));
      return printedIn((name.endsWith(".gz") ? await promisify(gunzip)(bytes) : bytes).toString());
    }),
  );
}

/** https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md */
function printedIn(file: string): string {
  return file
    .split("\n")
    .map((entry) => /^\S+ std(?:out|err) ([FP])\S* (.*)$/s.exec(entry))
    .map((match) => (match === null ? "" : `${match[2]}${match[1] === "F" ? "\n" : ""}`))
    .join("");
}
