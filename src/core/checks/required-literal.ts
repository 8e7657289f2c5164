/** Shorter ones are in too many lines. */
const MIN_LENGTH = 3;
/** Escapes of one letter that stand for one character, or none, and take nothing after them. */
const PLAIN_CLASSES = /^[dDwWsSbBAzaftnrv]$/;
const REPEAT = /^\{\d+(?:,\d*)?\}/;
/** What bytes that are no UTF-8 are read as. */
const REPLACEMENT = "\ufffd";

/**
 * A text that is in every line that a regular expression matches, so that the others need not be looked at; the longest one that is easily
 * seen, undefined where none is. Understands less of RE2's syntax than there is, and gives up where it does not.
 */
export function requiredLiteral(pattern: string): string | undefined {
  // Flags change what letters mean.
  if (/\(\?(?!:|P?<[A-Za-z_])/.test(pattern)) return undefined;
  const runs = findRuns(pattern) ?? [];
  const longest = runs.reduce((best, each) => (each.length > best.length ? each : best), "");
  return longest.length < MIN_LENGTH || longest.toWellFormed().includes(REPLACEMENT) ? undefined : longest;
}

/** Texts that are there each, or undefined. */
function findRuns(pattern: string): string[] | undefined {
  const runs: string[] = [];
  let run = "";
  /** Of groups that are gone through, how much of the run comes before them. */
  let before: number[] = [];
  const finish = (rest = "") => {
    runs.push(run);
    run = rest;
    before = before.map(() => 0);
  };
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at] as string;
    switch (character) {
      case "|":
        return undefined;
      case ".":
      case "^":
      case "$":
        finish();
        at += 1;
        break;
      case "*":
      case "?":
      case "{": {
        const repeat = character === "{" ? REPEAT.exec(pattern.slice(at))?.[0] : character;
        // A brace that repeats nothing is itself.
        if (repeat === undefined) return undefined;
        // What stands before it may be missing.
        run = Array.from(run).slice(0, -1).join("");
        finish();
        at += repeat.length;
        break;
      }
      case "+":
        // What comes before the group is not repeated with it.
        finish(repeatedEnd(run.slice(before.at(-1) ?? 0)));
        at += 1;
        break;
      case "[": {
        const end = classEnd(pattern, at);
        if (end === undefined) return undefined;
        finish();
        at = end;
        break;
      }
      case "(": {
        const group = findGroup(pattern, at);
        if (group === undefined) return undefined;
        if (group.isSure) {
          before.push(run.length);
          at = group.begin;
        } else {
          finish();
          at = group.end;
        }
        break;
      }
      case ")": {
        const length = before.pop() ?? 0;
        at += 1;
        if (pattern[at] !== "+") break;
        // It begins with its first turn, and ends with its last one.
        finish(run.slice(length));
        at += 1;
        break;
      }
      case "\\": {
        const next = pattern[at + 1];
        if (next === undefined) return undefined;
        if (/^[A-Za-z0-9]$/.test(next)) {
          if (!PLAIN_CLASSES.test(next)) return undefined;
          finish();
        } else if (next.charCodeAt(0) < 0x80) run += next;
        else return undefined;
        at += 2;
        break;
      }
      default: {
        const whole = String.fromCodePoint(pattern.codePointAt(at) as number);
        run += whole;
        at += whole.length;
      }
    }
  }
  finish();
  return runs;
}

/** Its last character as often as it stands there: what a run ends with when that is repeated. */
function repeatedEnd(run: string): string {
  const characters = Array.from(run);
  return characters.slice(characters.findLastIndex((each) => each !== characters.at(-1)) + 1).join("");
}

/** Behind the `]`. */
function classEnd(pattern: string, start: number): number | undefined {
  let at = start + 1;
  if (pattern[at] === "^") at += 1;
  for (let isFirst = true; at < pattern.length; isFirst = false) {
    if (pattern[at] === "\\") at += 2;
    else if (pattern.startsWith("[:", at)) {
      const end = pattern.indexOf(":]", at);
      if (end < 0) return undefined;
      at = end + 2;
    } else if (pattern[at] === "]" && !isFirst) return at + 1;
    else at += 1;
  }
  return undefined;
}

interface Group {
  /** Behind the `(` and its name. */
  readonly begin: number;
  /** Behind the `)` that belongs to it. */
  readonly end: number;
  /** What is in it is there at least once, all of it. */
  readonly isSure: boolean;
}

function findGroup(pattern: string, start: number): Group | undefined {
  let depth = 0;
  let hasChoice = false;
  for (let at = start; at < pattern.length; ) {
    const character = pattern[at];
    if (character === "\\") {
      if (pattern[at + 1] === "Q") return undefined;
      at += 2;
    } else if (character === "[") {
      const end = classEnd(pattern, at);
      if (end === undefined) return undefined;
      at = end;
    } else {
      if (character === "(") depth += 1;
      if (character === ")") depth -= 1;
      if (character === "|" && depth === 1) hasChoice = true;
      at += 1;
      if (depth > 0) continue;
      const head = /^\((?:\?(?::|P?<[^>]*>))?/.exec(pattern.slice(start, at))?.[0] ?? "(";
      return { begin: start + head.length, end: at, isSure: !hasChoice && !/[*?{]/.test(pattern[at] ?? "") };
    }
  }
  return undefined;
}
