import type { WriteStream } from "node:tty";
import { styleText } from "node:util";

/** Of a terminal that does not tell. */
const DEFAULT_SIZE = { rows: 24, columns: 80 };

type Style = "bold" | "dim" | "green" | "red";

/**
 * What a person sees of the demo: headings, lines with the time since its start, and, in a terminal, rows below them that are rewritten in
 * place. Elsewhere there are lines only, without colours.
 */
export class Screen {
  /** True where rows can be rewritten. */
  readonly isLive: boolean;
  readonly #stream: WriteStream;
  readonly #hasColours: boolean;
  readonly #startedMs = performance.now();
  #rows: string[] = [];
  #shownRows = 0;

  constructor(stream: WriteStream, environment: NodeJS.ProcessEnv) {
    this.#stream = stream;
    this.isLive = stream.isTTY === true && environment.TERM !== "dumb";
    this.#hasColours = this.isLive && (environment.NO_COLOR ?? "") === "";
  }

  heading(text: string): void {
    this.print(`\n${this.style("bold", text)}`);
  }

  /** A line, or several, with the time. */
  say(text: string): void {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1);
    const [first, ...others] = text.split("\n");
    this.print([`${this.style("dim", `${seconds.padStart(7)} s`)}  ${first}`, ...others.map((line) => `           ${line}`)].join("\n"));
  }

  /** As it is, above the rows. */
  print(text: string): void {
    this.#stream.write(`${this.#eraseRows()}${text}\n${this.#drawRows()}`);
  }

  /** Rows for now; longer ones are cut, none where nothing can be rewritten. */
  setRows(rows: readonly string[]): void {
    if (!this.isLive) return;
    this.#rows = [...rows];
    const up = this.#shownRows === 0 ? "" : `\x1b[${this.#shownRows}A`;
    // Over what is there, without erasing it first: that would flicker.
    this.#stream.write(`${up}${this.#drawRows()}\x1b[0J`);
  }

  /** The rows as they are become lines. */
  keepRows(): void {
    this.#rows = [];
    this.#shownRows = 0;
  }

  /** How many rows can be rewritten: those that have scrolled away can't. */
  get maxRows(): number {
    return this.isLive ? Math.max(0, (this.#stream.rows || DEFAULT_SIZE.rows) - 2) : 0;
  }

  style(style: Style, text: string): string {
    return this.#hasColours ? styleText(style, text, { validateStream: false }) : text;
  }

  #eraseRows(): string {
    const erase = this.#shownRows === 0 ? "" : `\x1b[${this.#shownRows}A\x1b[0J`;
    this.#shownRows = 0;
    return erase;
  }

  #drawRows(): string {
    const rows = this.#rows.slice(0, this.maxRows);
    this.#shownRows = rows.length;
    const width = (this.#stream.columns || DEFAULT_SIZE.columns) - 1;
    return rows.map((row) => `${row.slice(0, width)}\x1b[K\n`).join("");
  }
}

/** Columns as wide as their longest cell; the last one is not padded. */
export function renderTable(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
