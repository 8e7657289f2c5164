const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** HTML that was made by `html`, and by nothing else. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Piece = Html | string | number | undefined | false | readonly Piece[];

/**
 * HTML with every value in it escaped that is not itself made so; fit for the content of elements and attributes between double quotes. For a
 * file that is read without this program; the pages of this program have their own.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Piece[]): Html {
  return new Html(strings.map((text, index) => text + render(values[index])).join(""));
}

function render(piece: Piece): string {
  if (piece === undefined || piece === false) return "";
  if (piece instanceof Html) return piece.text;
  if (Array.isArray(piece)) return piece.map(render).join("");
  return escapeText(String(piece));
}

/** Characters that turn the direction of a text, or control a terminal, are shown as what they are. */
function escapeText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\P{C}\n\t]/gu, "\u{FFFD}")
    .replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}
