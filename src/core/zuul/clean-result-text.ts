import { transliterate } from "./transliterate.ts";

/**
 * What reviewers read. Zuul 2.6 shows the result verbatim and in many places: in a statsd key (`:`, `|`, `@`), in a column of 255
 * characters, in a mail that takes no more than ASCII (`zuul/connection/smtp.py`), and between double quotes on Gerrit's command line,
 * where it escapes nothing (`zuul/connection/gerrit.py`, `review`): a quotation mark or backslash there would make options of a test's text.
 */

const MAX_LENGTH = 120;
/** Of words that others wrote, so much is read: as much as a container's termination message may have. */
const MAX_READ = 4096;

/** Words with a meaning of their own in Zuul; no verdict that failed may wear one (`zuul/model.py`). */
const ZUUL_WORDS = new Set(["SUCCESS", "SKIPPED", "CANCELED", "LOST", "RETRY_LIMIT", "NOT_REGISTERED"]);

/** The letters that a result may have: `utf-8` of every script, `ascii` none that has to be written by more than one byte. */
export type ResultLetters = "ascii" | "utf-8";

/** What somebody else wrote, whole, as one line for people: line ends are blanks, and there are no terminal colours or other control characters. */
export function plainLine(text: string): string {
  return (
    text
      .slice(0, MAX_READ)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours and links are what is taken out here
      .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g, "")
      .replace(/[\p{Z}\s\x85]+/gu, " ")
      .replace(/\p{C}/gu, "")
      .trim()
  );
}

/** The first line that says something, as the sentence of a test or an init container is; "" when none does. */
export function firstLine(text: string): string {
  const lines = text.slice(0, MAX_READ).split(/[\r\n\v\f\x85\u2028\u2029]/);
  return plainLine(lines.find((line) => cleanResultText(line) !== "") ?? "");
}

/**
 * One printable line of at most 120 characters that can be put anywhere: no quotation mark of any kind, backslash, backtick, `$`, `:`, `|`
 * or `@`, no dash at its start. `first: second` becomes `first - second`. Returns "" when nothing printable is there. Cleaning what is clean
 * changes nothing.
 */
export function cleanResultText(text: string, letters: ResultLetters = "utf-8"): string {
  const line = plainLine(text);
  const cleaned = (letters === "ascii" ? transliterate(line) : line.normalize("NFC").replace(/\P{ASCII}/gu, plainSign))
    .replace(/\\(?=["'`])/g, "")
    .replace(/\b(\w+)n't\b/g, (_, word) => `${word === "wo" ? "will" : /^ca$/i.test(word) ? `${word}n` : word} not`)
    .replace(/["'`$]/g, "")
    .replaceAll("\\", "/")
    .replaceAll("|", "/")
    .replaceAll("@", " at ")
    .replaceAll("::", ".")
    .replace(/ ?:( |$)/g, " - ")
    .replaceAll(":", "-")
    .replace(/ {2,}/g, " ")
    // Once more: what stood between a letter and its accent may be gone.
    .normalize("NFC");
  const characters = Array.from(cleaned);
  return cutAtWord(characters.slice(...trimmedRange(characters)));
}

/**
 * Where a text begins and ends without the blanks and dashes around it; a dash at the end of a word belongs to it. Looks at each character a few
 * times at most: a regular expression that does the same tries anew at each blank.
 */
export function trimmedRange(characters: ArrayLike<string>): [start: number, end: number] {
  const isBlank = (index: number) => characters[index] === " ";
  const isDash = (index: number) => /^\p{Pd}/u.test(characters[index] ?? "");
  let end = characters.length;
  let start = 0;
  while (start < end && (isBlank(start) || isDash(start))) start += 1;
  for (;;) {
    while (end > start && isBlank(end - 1)) end -= 1;
    let word = end;
    while (word > start && isDash(word - 1)) word -= 1;
    if (word === end || !isBlank(word - 1)) return [start, end];
    end = word;
  }
}

/** The text for a verdict that is no success: cleaned, and never empty or a word that Zuul or a reader would take for something else. */
export function failureText(text: string, letters: ResultLetters = "utf-8"): string {
  const cleaned = cleanResultText(text, letters);
  const word = transliterate(cleaned)
    .toUpperCase()
    .replace(/^[^A-Z0-9]+|[^A-Z0-9]+$/g, "");
  return !/[\p{L}\p{N}]/u.test(cleaned) || ZUUL_WORDS.has(word) ? "FAILURE" : cleaned;
}

/** A sign that looks like one of those that are taken out is one: a fullwidth colon, a typographic quotation mark. */
function plainSign(character: string): string {
  const plain = transliterate(character);
  return /["'`$\\:|@]/.test(plain) ? plain : character;
}

function cutAtWord(characters: readonly string[]): string {
  if (characters.length <= MAX_LENGTH) return characters.join("");
  const kept = characters.slice(0, MAX_LENGTH - 3).join("");
  const blank = kept.lastIndexOf(" ");
  // A last word that is a long one says more in part than not at all.
  const whole = characters[MAX_LENGTH - 3] !== " " && blank > kept.length - 24 ? kept.slice(0, blank) : kept;
  return `${whole.replace(/[\p{Pd}\p{Ps} ,;./]+$/u, "")}...`;
}
