import * as z from "zod";
import { LineTimes } from "../checks/line-times.ts";
import { BEFORE_ALL } from "./log-position.ts";
import { addPoint, type SpoolAttempt, type SpoolHole, type SpoolPoint, type SpoolState } from "./spool-journal.ts";

const record = z.union([
  z.object({
    at: z.int().nonnegative(),
    lines: z.int().nonnegative(),
    attempt: z.int().nonnegative(),
    time: z.string(),
    count: z.int(),
    taken: z.int(),
    whole: z.boolean(),
  }),
  z.object({ hole: z.int().nonnegative(), after: z.string(), before: z.string().optional() }),
  z.object({ begins: z.int().nonnegative(), attempt: z.int().positive() }),
  z.object({ line: z.int().positive(), ms: z.int() }),
  z.object({ end: z.int().nonnegative() }),
  z.object({ term: z.int().nonnegative() }),
]);

type JournalRecord = z.infer<typeof record>;

const FIRST: SpoolPoint = { offset: 0, lines: 0, attempt: 0, position: BEFORE_ALL };

/** Reads as much of a journal as is whole, again and again while it grows: its writer may have been killed at any byte, or still write. */
export class JournalReader {
  #rest = "";
  #isBroken = false;
  #term: number | undefined;
  readonly #points: SpoolPoint[] = [FIRST];
  readonly #holes: SpoolHole[] = [];
  readonly #attempts: SpoolAttempt[] = [];
  readonly #times = new LineTimes();
  #endedAt: number | undefined;
  /** What speaks of bytes that were not there yet. */
  #late: JournalRecord[] = [];

  /** Of its writer; undefined if the journal has no whole beginning: whoever began it was killed, or is about to write it. */
  get term(): number | undefined {
    return this.#term;
  }

  /** It speaks of bytes that were not there. */
  get isAhead(): boolean {
    return this.#late.length > 0;
  }

  /** What comes next of its text. */
  add(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const entry = this.#isBroken ? undefined : parseRecord(line);
      this.#isBroken ||= entry === undefined;
      if (entry !== undefined) this.#take(entry);
    }
  }

  /**
   * What it says of `size` bytes: of more it says nothing, as they never came to the disk, or will yet. The last point is where the spool goes
   * on.
   */
  state(size: number): SpoolState {
    const late = this.#late;
    this.#late = [];
    for (const entry of late) {
      if ("at" in entry && entry.at <= size) addPoint(this.#points, pointOf(entry));
      else if ("end" in entry && entry.end <= size) this.#endedAt = entry.end;
      else this.#late.push(entry);
    }
    const last = this.#points.at(-1) as SpoolPoint;
    const endedAt = this.#endedAt;
    // A hole at the last point is found anew by who goes on there, as the line behind it comes anew; but for one at the end of another run.
    const isBehind = endedAt !== undefined || isBeginning(last);
    const from = endedAt ?? last.offset;
    const times = this.#times.entries.filter(({ line }) => endedAt !== undefined || line <= last.lines);
    return {
      points: this.#points,
      holes: this.#holes.filter(({ offset }) => offset < from || (isBehind && offset === from)),
      attempts: this.#attempts.filter(({ attempt }) => attempt <= last.attempt),
      ...(times.length === 0 ? {} : { times }),
      endedAt,
    };
  }

  #take(entry: JournalRecord): void {
    if ("hole" in entry) {
      const { hole: offset, after, before } = entry;
      if (!this.#holes.some((each) => each.offset === offset && each.after === after)) this.#holes.push({ offset, after, before });
    } else if ("begins" in entry) {
      const { begins: offset, attempt } = entry;
      if (!this.#attempts.some((each) => each.attempt === attempt)) this.#attempts.push({ offset, attempt });
    } else if ("line" in entry) this.#times.note(entry.line, entry.ms);
    else if ("term" in entry) this.#term ??= entry.term;
    else this.#late.push(entry);
  }
}

function pointOf({ at: offset, lines, attempt, time, count, taken, whole: isWhole }: Extract<JournalRecord, { at: number }>): SpoolPoint {
  return { offset, lines, attempt, position: { time, count, taken, isWhole } };
}

function isBeginning({ attempt, position }: SpoolPoint): boolean {
  return attempt > 0 && position.time === "";
}

function parseRecord(line: string): JournalRecord | undefined {
  try {
    return record.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
