/** Letters and signs that Unicode does not take apart into ASCII ones, and what is written for them where there is ASCII only. */
const PLAIN = new Map(
  Object.entries({
    ...{ ß: "ss", ẞ: "SS", æ: "ae", Æ: "AE", œ: "oe", Œ: "OE", ø: "o", Ø: "O", đ: "d", Đ: "D", ð: "d", Ð: "D", þ: "th", Þ: "Th" },
    ...{ ł: "l", Ł: "L", ı: "i", ħ: "h", Ħ: "H", ŋ: "n", Ŋ: "N", µ: "u", μ: "u", "€": "EUR", "£": "GBP", "¥": "JPY" },
    ...{ "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-", "⁄": "/", "∕": "/", "•": "*", "·": "*", "×": "x", "÷": "/" },
    ...{ "“": '"', "”": '"', "„": '"', "‟": '"', "«": '"', "»": '"', "″": '"', "‘": "'", "’": "'", "‚": "'", "‛": "'", "‹": "'", "›": "'" },
    ...{ "′": "'", "´": "'", "→": "->", "←": "<-", "⇒": "=>", "≤": "<=", "≥": ">=", "≈": "~", "✓": "ok", "✔": "ok", "✅": "ok" },
    ...{ "✗": "x", "✘": "x", "✖": "x", "❌": "x" },
  }),
);

/** What no ASCII stands for becomes `?`, a run of it one. Signs count by what they look like: a fullwidth quotation mark is one. */
export function transliterate(text: string): string {
  return (
    Array.from(text, (character) => PLAIN.get(character) ?? character)
      .join("")
      .normalize("NFKD")
      // Of letters the marks are lost; of signs this one says "not".
      .replace(/(.)\u0338/gu, "!$1")
      .replace(/\p{M}+/gu, "")
      .replace(/\P{ASCII}/gu, (character) => PLAIN.get(character) ?? character)
      .replace(/\P{ASCII}+/gu, "?")
  );
}
