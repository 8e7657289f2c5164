/** How the values of Secrets may show in a log, as the byte patterns that `makeMasker` looks for. */

/** Shorter ones would mask words of every log, and are no secret that holds. */
export const LEAST_SECRET_BYTES = 6;
/** A longer value is a file and no credential; what is not masked is told by name. */
export const MAX_SECRET_BYTES = 8 * 1024;
/** Of all values together, so that a Secret of many files costs no more than a tenth of a second and some MiB of memory. */
const MAX_ALL_BYTES = 32 * 1024;
/** What is longer, as a key or a kubeconfig, is put into files and not into URLs. */
const MAX_URL_BYTES = 1024;
/** A longer pattern is looked for in pieces: no more bytes than this are ever kept back from a reader. */
const MAX_PATTERN_BYTES = 512;

/** What people give to a Secret and what says nothing; in lower case. */
const TRIVIAL = new Set(["default", "disabled", "enabled", "localhost", "undefined"]);
/** The first and the last line of a key or certificate, which anybody knows. */
const PEM_FRAME = /^-----(BEGIN|END) [A-Z0-9 ]+-----$/;
/** At how many characters a line `base64` (GNU coreutils) and `openssl base64` break what they print. */
const BASE64_COLUMNS = [76, 64];

export interface SecretValue {
  /** Which Secret and which key, for people. */
  name: string;
  value: Uint8Array;
}

interface SecretPatterns {
  /** Without line feeds, no longer than 512 bytes, each once. */
  patterns: Uint8Array[];
  /** Names of values that are not looked for, and why, as a clause. */
  unmasked: { name: string; why: string }[];
}

/**
 * A value is looked for as it is, line by line where it has several, without the blanks around a line; in base64 (whole, at any place of a
 * longer text, in the alphabet of URLs, and as programs break it into lines), URL-encoded, and as part of a text in JSON, XML or HTML.
 */
export function secretPatterns(values: readonly SecretValue[]): SecretPatterns {
  const patterns = new Map<string, Uint8Array>();
  const unmasked: SecretPatterns["unmasked"] = [];
  let allBytes = 0;
  for (const { name, value } of values) {
    const trimmed = trim(value);
    allBytes += trimmed.length;
    const why = reasonNotTo(trimmed, allBytes);
    if (why !== undefined) {
      allBytes -= trimmed.length;
      unmasked.push({ name, why });
      continue;
    }
    for (const pattern of formsOf(value, trimmed).flatMap(inPieces)) patterns.set(latin1(pattern), pattern);
  }
  return { patterns: [...patterns.values()], unmasked };
}

function reasonNotTo(value: Uint8Array, allBytes: number): string | undefined {
  if (value.length < LEAST_SECRET_BYTES) return `it has fewer than ${LEAST_SECRET_BYTES} bytes`;
  if (value.length > MAX_SECRET_BYTES) return `it has more than ${MAX_SECRET_BYTES / 1024} KiB`;
  if (allBytes > MAX_ALL_BYTES) return `all values together have more than ${MAX_ALL_BYTES / 1024} KiB`;
  if (isTrivial(value)) return "it is a word that says nothing";
  return undefined;
}

function isTrivial(value: Uint8Array): boolean {
  return value.every((byte) => byte === value[0]) || TRIVIAL.has(latin1(value).toLowerCase());
}

/** `value` with the line feed that a file ends with, which belongs to what programs encode. */
function formsOf(value: Uint8Array, trimmed: Uint8Array): Uint8Array[] {
  const lines = splitLines(trimmed).map(trim);
  const plain = lines.length === 1 ? [trimmed] : lines.filter((line) => !PEM_FRAME.test(latin1(line)));
  return [
    ...plain.flatMap((line) => [line, ...urlForms(line), ...jsonForms(line), ...markupForms(line)]),
    ...(lines.length === 1 ? [] : [...urlForms(trimmed), ...jsonForms(trimmed)]),
    // `echo "$VALUE" | base64` adds a line feed.
    ...[value, trimmed, bytesOf(`${latin1(trimmed)}\n`)].flatMap(base64Lines),
    ...plain.flatMap(base64Forms),
    ...(lines.length === 1 ? [] : base64Forms(trimmed)),
  ].filter((form) => form.length >= LEAST_SECRET_BYTES && !isTrivial(form));
}

/** Overlapping, so that they become one mask; the last one is as long as the others. */
function inPieces(pattern: Uint8Array): Uint8Array[] {
  if (pattern.length <= MAX_PATTERN_BYTES) return [pattern];
  const pieces: Uint8Array[] = [];
  for (let end = MAX_PATTERN_BYTES; end < pattern.length; end += MAX_PATTERN_BYTES - 1)
    pieces.push(pattern.subarray(end - MAX_PATTERN_BYTES, end));
  return [...pieces, pattern.subarray(-MAX_PATTERN_BYTES)];
}

/** As JavaScript and Python write it in a path, in a query, and in a form; in the digits that some write small. */
function urlForms(value: Uint8Array): Uint8Array[] {
  if (value.length > MAX_URL_BYTES) return [];
  return URL_STYLES.map((style) => {
    let text = "";
    for (const byte of value) text += style[byte];
    return bytesOf(text);
  });
}

/** What becomes of each byte. */
const URL_STYLES = [
  urlStyle(/[A-Za-z0-9_.~!*'()-]/, "%20"),
  urlStyle(/[A-Za-z0-9_.~-]/, "%20"),
  urlStyle(/[A-Za-z0-9_.~/-]/, "%20"),
  urlStyle(/[A-Za-z0-9_.*-]/, "+"),
  urlStyle(/[A-Za-z0-9_.~-]/, "%20").map((text) => (text.length === 3 ? text.toLowerCase() : text)),
];

function urlStyle(kept: RegExp, blank: string): string[] {
  return Array.from({ length: 256 }, (_, byte) => {
    const character = String.fromCharCode(byte);
    if (kept.test(character)) return character;
    return character === " " ? blank : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
}

/** What stands between the quotes of a JSON text; none for bytes that are no text. */
function jsonForms(value: Uint8Array): Uint8Array[] {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(value);
  return text.includes("\ufffd") ? [] : [new TextEncoder().encode(JSON.stringify(text).slice(1, -1))];
}

/** Between the tags and in attributes, as Python, Java, JavaScript and Go write it; junit files are made so. */
function markupForms(value: Uint8Array): Uint8Array[] {
  if (value.length > MAX_URL_BYTES) return [];
  const text = latin1(value);
  return MARKUP_STYLES.map((style) => bytesOf(text.replace(/[&<>"']/g, (character) => style[character] ?? character)));
}

const BETWEEN_TAGS = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const MARKUP_STYLES: readonly Record<string, string>[] = [
  BETWEEN_TAGS,
  { ...BETWEEN_TAGS, '"': "&quot;" },
  { ...BETWEEN_TAGS, '"': "&quot;", "'": "&apos;" },
  { ...BETWEEN_TAGS, '"': "&quot;", "'": "&#39;" },
  { ...BETWEEN_TAGS, '"': "&quot;", "'": "&#x27;" },
  { ...BETWEEN_TAGS, '"': "&#34;", "'": "&#39;" },
];

/** The characters that the value alone decides, for each of the three places where it may begin in what was encoded; and to its end. */
function base64Forms(value: Uint8Array): Uint8Array[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = new Uint8Array(before + value.length);
    padded.set(value, before);
    const text = base64(padded);
    const begin = Math.ceil((before * 8) / 6);
    const decided = text.slice(begin, Math.floor((padded.length * 8) / 6));
    return [decided, text.slice(begin).replaceAll("=", ""), text.slice(begin)].flatMap(bothAlphabets);
  });
}

/** The whole value's, as programs print it. */
function base64Lines(value: Uint8Array): Uint8Array[] {
  const whole = base64(value);
  return BASE64_COLUMNS.flatMap((columns) => {
    const lines: string[] = [];
    for (let start = 0; start < whole.length; start += columns) lines.push(whole.slice(start, start + columns));
    return lines.flatMap(bothAlphabets);
  });
}

function bothAlphabets(text: string): Uint8Array[] {
  return [bytesOf(text), bytesOf(text.replaceAll("+", "-").replaceAll("/", "_"))];
}

function base64(bytes: Uint8Array): string {
  return btoa(latin1(bytes));
}

function splitLines(value: Uint8Array): Uint8Array[] {
  return latin1(value)
    .split(/[\r\n]+/)
    .map(bytesOf);
}

function trim(value: Uint8Array): Uint8Array {
  return bytesOf(
    latin1(value)
      .replace(/^[ \t\r\n]+/, "")
      .replace(/[ \t\r\n]+$/, ""),
  );
}

/** One character per byte. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}
