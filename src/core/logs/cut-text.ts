const CUT = "…";

/** At most `most` characters (UTF-16) of a text; where that is not all of it, the last one says so. Where it was cut, `maskValues` sees by that. */
export function cutText(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}${CUT}`;
}

/** The text up to where it was cut, and the words that say so; undefined where it says nothing of that. */
export function readCut(text: string): { kept: string; mark: string } | undefined {
  const mark = [CUT, "..."].find((each) => text.endsWith(each));
  return mark === undefined ? undefined : { kept: text.slice(0, -mark.length), mark };
}
