import { sayBytes, sayTime } from "../words.ts";
import type { LogSnapshot } from "./readable-log.ts";

/** Our own words between the lines of a log. They are no lines, have no number, and stand where no text of a test can. */
export interface LogNote {
  offset: number;
  kind: "hole" | "cut" | "attempt";
  text: string;
}

/** By offset. */
export function notesOf({ holes, cut, attempts }: LogSnapshot): LogNote[] {
  const notes: LogNote[] = holes.map(({ offset, after, before }) => ({
    offset,
    kind: "hole",
    text: `Something is missing here: the node threw away what was printed ${between(after, before)} before it could be read.`,
  }));
  for (const { offset, attempt } of attempts) {
    notes.push({
      offset,
      kind: "attempt",
      text: `Here the container was started again: what comes now is printed by its run number ${attempt + 1}.`,
    });
  }
  if (cut) {
    const { from, to } = cut;
    const text = `${sayBytes(to - from)} are not kept here, as the log is longer than it may be: its beginning and its end are.`;
    notes.push({ offset: from, kind: "cut", text });
  }
  return notes.sort((a, b) => a.offset - b.offset);
}

function between(after: string, before: string | undefined): string {
  return before === undefined ? `after ${sayTime(after)}` : `between ${sayTime(after)} and ${sayTime(before)}`;
}
