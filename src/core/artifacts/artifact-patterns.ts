/**
 * Paths as a TestTask writes them: `*` and `?` stand for any characters of one name, a name `**` for any number of directories; a directory
 * stands for all that is in it. Names are compared as they are, those that begin with a dot among them.
 */
export class ArtifactPatterns {
  readonly #patterns: readonly (readonly string[])[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => pattern.split("/").filter((part) => part !== "" && part !== "."));
  }

  /** The file, or a directory that it is in. */
  matches(path: readonly string[]): boolean {
    return this.#patterns.some((pattern) => reach(pattern, path).isWhole);
  }

  /** Whether a directory may hold something that is asked for. */
  mayHold(directory: readonly string[]): boolean {
    return this.#patterns.some((pattern) => {
      const { isWhole, isOpen } = reach(pattern, directory);
      return isWhole || isOpen;
    });
  }
}

/** How far a path goes along a pattern: `isWhole` when the pattern is used up on the way, `isOpen` when it could go on below the path. */
function reach(pattern: readonly string[], path: readonly string[]): { isWhole: boolean; isOpen: boolean } {
  let places = closure(pattern, [0]);
  for (const name of path) {
    if (places.has(pattern.length)) return { isWhole: pattern.length > 0, isOpen: false };
    const next = [...places].flatMap((at) => {
      const part = pattern[at] ?? "";
      if (part === "**") return [at];
      return matchesName(part, name) ? [at + 1] : [];
    });
    places = closure(pattern, next);
  }
  return { isWhole: pattern.length > 0 && places.has(pattern.length), isOpen: places.size > 0 };
}

/** `**` may stand for no directory at all. */
function closure(pattern: readonly string[], places: readonly number[]): Set<number> {
  const all = new Set(places);
  for (const place of all) if (pattern[place] === "**") all.add(place + 1);
  return all;
}

/** Without going back more than to the last star: linear for people's patterns, and never exponential. */
function matchesName(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let afterStar = 0;
  for (let i = 0; i < name.length; ) {
    if (pattern[at] === "*") {
      star = at;
      afterStar = i;
      at += 1;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === name[i])) {
      at += 1;
      i += 1;
    } else if (star >= 0) {
      at = star + 1;
      afterStar += 1;
      i = afterStar;
    } else return false;
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}
