/** Shorter ones are in too many lines. */
const MIN_LENGTH = 3;
/** Escapes of one letter that stand for one character, or none, and take nothing after them. */
const PLAIN_CLASSES = /^[dDwWsSbBAzaftnrv]$/;

/**
 * A text that is in every line that a regular expression matches, so that the others need not be looked at; the longest one that is easily
 * seen, undefined where none is. Understands less of RE2's syntax than there is, and gives up where it does not.
 */
export function requiredLiteral(pattern: string): string | undefined {
  // Flags change what letters mean.
  if (/\(\?(?!:|P?<[A-Za-z_])/.test(pattern)) return undefined;
  const runs: string[] = [];
  let run = "";
  const finish = () => {
    runs.push(run);
    run = "";
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
      case "{":
        // What stands before it may be missing.
        run = withoutLast(run);
        finish();
        at = character === "{" ? pattern.indexOf("}", at) + 1 || pattern.length : at + 1;
        break;
      case "+":
        finish();
        at += 1;
        break;
      case "[":
      case "(": {
        const end = character === "[" ? classEnd(pattern, at) : groupEnd(pattern, at);
        if (end === undefined) return undefined;
        finish();
        at = end;
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
  const longest = runs.reduce((best, each) => (each.length > best.length ? each : best), "");
  return longest.length < MIN_LENGTH ? undefined : longest;
}

function withoutLast(run: string): string {
  return Array.from(run).slice(0, -1).join("");
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

/** Behind the `)` that belongs to it. */
function groupEnd(pattern: string, start: number): number | undefined {
  let depth = 0;
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
      at += 1;
      if (depth === 0) return at;
    }
  }
  return undefined;
}
