/**
 * JSON as Python's `json` module writes and reads it, for Zuul is Python: the numbers are kept as they were written, because JavaScript's own
 * lose `2.0`, `1e-07` and 12345678901234567890, and `NaN`, `Infinity` and `-Infinity` are numbers too (`allow_nan` is its default).
 */
export type Json = null | boolean | string | JsonNumber | readonly Json[] | ReadonlyMap<string, Json>;

/** A number of a JSON text. */
export class JsonNumber {
  /** As it was written. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export interface JsonMember {
  value: Json;
  /** Its text, as it was written. */
  written: string;
}

/** A text that is no JSON; `message` is a clause that says where. */
export class JsonError extends Error {}

/**
 * Reads one JSON text and takes time in proportion to its length. Lists and objects may stand in each other `maxDepth` deep. Throws JsonError.
 */
export function parseJson(text: string, maxDepth: number): Json {
  return new Reader(text, maxDepth).readWhole().value;
}

/** Reads a JSON object with the text of each of its members, of which the last of a name counts; undefined when it is JSON of another kind. */
export function parseJsonObject(text: string, maxDepth: number): ReadonlyMap<string, JsonMember> | undefined {
  const members = new Map<string, JsonMember>();
  const { value } = new Reader(text, maxDepth, (name, member) => members.set(name, member)).readWhole();
  return value instanceof Map ? members : undefined;
}

/** Writes `Json`, or what JSON.parse returns, as Python's `json.dumps` does: in ASCII alone, with a blank behind each comma and colon. */
export function renderPythonJson(value: unknown): string {
  if (typeof value === "string") return renderString(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(renderPythonJson).join(", ")}]`;
  const members = [...(value instanceof Map ? value : Object.entries(value))];
  return `{${members.map(([name, member]) => `${renderString(name)}: ${renderPythonJson(member)}`).join(", ")}}`;
}

function renderString(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const BLANKS = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|NaN|-?Infinity/y;
const WORDS: readonly [string, Json][] = [
  ["null", null],
  ["true", true],
  ["false", false],
];

class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #onMember: (name: string, member: JsonMember) => void;
  #at = 0;

  /** `onMember` hears of the members of the outermost object. */
  constructor(text: string, maxDepth: number, onMember: (name: string, member: JsonMember) => void = () => {}) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#onMember = onMember;
  }

  readWhole(): JsonMember {
    this.#skipBlanks();
    const member = this.#read(0);
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw this.#error();
    return member;
  }

  #read(depth: number): JsonMember {
    const from = this.#at;
    const value = this.#readValue(depth);
    return { value, written: this.#text.slice(from, this.#at) };
  }

  #readValue(depth: number): Json {
    switch (this.#text[this.#at]) {
      case "{":
        return this.#readObject(depth + 1);
      case "[":
        return this.#readList(depth + 1);
      case '"':
        return this.#readString();
    }
    for (const [word, value] of WORDS) if (word[0] === this.#text[this.#at] && this.#takes(word)) return value;
    const number = this.#match(NUMBER);
    if (number === "") throw this.#error();
    return new JsonNumber(number);
  }

  #readObject(depth: number): Json {
    const members = new Map<string, Json>();
    this.#readItems(depth, "}", () => {
      const name = this.#readString();
      this.#skipBlanks();
      this.#expect(":");
      this.#skipBlanks();
      const member = this.#read(depth);
      members.set(name, member.value);
      if (depth === 1) this.#onMember(name, member);
    });
    return members;
  }

  #readList(depth: number): Json {
    const items: Json[] = [];
    this.#readItems(depth, "]", () => items.push(this.#read(depth).value));
    return items;
  }

  /** From the opening bracket to the closing one. */
  #readItems(depth: number, end: string, readItem: () => void): void {
    if (depth > this.#maxDepth) throw new JsonError(`nested more than ${this.#maxDepth} deep`);
    this.#at += 1;
    this.#skipBlanks();
    if (this.#takes(end)) return;
    for (;;) {
      readItem();
      this.#skipBlanks();
      if (this.#takes(end)) return;
      this.#expect(",");
      this.#skipBlanks();
    }
  }

  /** Its end is looked for here, so that no pattern has to run over a long text; what stands in it is JSON.parse's to judge. */
  #readString(): string {
    const from = this.#at;
    if (this.#text[from] !== '"') throw this.#error();
    let end = this.#text.indexOf('"', from + 1);
    while (end >= 0 && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    if (end < 0) throw this.#error();
    try {
      const value = JSON.parse(this.#text.slice(from, end + 1)) as string;
      this.#at = end + 1;
      return value;
    } catch {
      throw this.#error();
    }
  }

  #isEscaped(at: number): boolean {
    let from = at;
    while (this.#text[from - 1] === "\\") from -= 1;
    return (at - from) % 2 === 1;
  }

  #skipBlanks(): void {
    if (this.#text.charCodeAt(this.#at) <= 0x20) this.#match(BLANKS);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ""] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }

  #takes(word: string): boolean {
    const isThere = this.#text.startsWith(word, this.#at);
    if (isThere) this.#at += word.length;
    return isThere;
  }

  #expect(word: string): void {
    if (!this.#takes(word)) throw this.#error();
  }

  #error(): JsonError {
    const { length } = this.#text;
    return new JsonError(this.#at < length ? `not JSON at character ${this.#at + 1}` : "not JSON, it ends too early");
  }
}
