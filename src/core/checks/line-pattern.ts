import { RE2JS } from "re2js";

/** What a pattern caught in a line: its groups by number (0 is all of it) and by name; undefined for one that took no part. */
export interface LineMatch {
  readonly groups: readonly (string | undefined)[];
  readonly named: Readonly<Record<string, string | undefined>>;
}

/** A regular expression with RE2's syntax and semantics: the time is proportional to the line, whatever both are. */
export interface LinePattern {
  readonly source: string;
  readonly groupCount: number;
  readonly names: readonly string[];
  exec(line: string): LineMatch | undefined;
}

/** Throws an Error that says what is wrong with it, as a clause. */
export function compilePattern(source: string): LinePattern {
  const compiled = compile(source);
  return {
    source,
    groupCount: compiled.groupCount(),
    names: Object.keys(compiled.namedGroups()),
    exec(line) {
      // Most lines don't match, and that is found out faster without groups.
      if (!compiled.test(line)) return undefined;
      const found = compiled.exec(line);
      return found ? { groups: [...found], named: { ...(found as unknown as { groups?: LineMatch["named"] }).groups } } : undefined;
    },
  };
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (thrown) {
    const words = thrown instanceof Error ? thrown.message : "it is none";
    throw new Error(words.replace(/^error parsing regexp: /, "").slice(0, 200));
  }
}
