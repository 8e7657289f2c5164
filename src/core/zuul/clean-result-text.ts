/** What reviewers read: Zuul shows the result verbatim, puts it into a statsd key and a 255-character column. */

const MAX_LENGTH = 120;

/** Words with a meaning of their own in Zuul; no verdict that failed may wear one (`zuul/model.py`). */
const ZUUL_WORDS = new Set(["SUCCESS", "SKIPPED", "CANCELED", "LOST", "RETRY_LIMIT", "NOT_REGISTERED"]);

/**
 * One printable line of at most 120 characters without `:`, `|` and `@` (statsd's separators). `first: second` becomes `first - second`.
 * Returns "" when nothing printable is there.
 */
export function cleanResultText(text: string): string {
  const firstLine =
    text
      .slice(0, 4096)
      .split(/[\r\n\u2028\u2029]/)
      .find((line) => /\S/.test(line)) ?? "";
  const cleaned = firstLine
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours are what is taken out here
    .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "")
    .replace(/[\p{Z}\s]+/gu, " ")
    .replace(/\p{C}/gu, "")
    .replace(/ ?:( |$)/g, " - ")
    .replaceAll(":", "-")
    .replaceAll("|", "/")
    .replaceAll("@", "-")
    .replace(/ {2,}/g, " ")
    .replace(/( -)+ *$/, "")
    .trim();
  const characters = Array.from(cleaned);
  return characters.length <= MAX_LENGTH
    ? cleaned
    : `${characters
        .slice(0, MAX_LENGTH - 3)
        .join("")
        .trimEnd()}...`;
}

/** The text for a verdict that is no success: cleaned, and never empty or a word that Zuul would take for something else. */
export function failureText(text: string): string {
  const cleaned = cleanResultText(text);
  return cleaned === "" || ZUUL_WORDS.has(cleaned.toUpperCase()) ? "FAILURE" : cleaned;
}
