import type { Clock } from "../../runtime/clock.ts";
import { linesJson } from "./line-json.ts";
import type { LogPosition } from "./log-lines.ts";
import { notesOf } from "./log-notes.ts";
import { readStep, renderPosition } from "./log-window.ts";
import { pointBefore, type ReadableLog } from "./readable-log.ts";

/** A reader that is further behind is not shown what it missed: nobody reads so fast, and it is there to be asked for. */
const MAX_BEHIND_BYTES = 2 * 2 ** 20;
/** Without a word for so long, a proxy or the server itself would take the connection for dead. */
const HEARTBEAT_MS = 10_000;

/** Readers at the same place of a log share what they get: it is read and written out once. */
export class SharedChunks {
  /** Of each log the one that was asked for last; by where it begins and how much there was. */
  readonly #last = new WeakMap<ReadableLog, { key: string; chunk: Promise<StreamChunk> }>();

  read(log: ReadableLog, position: LogPosition): Promise<StreamChunk> {
    const { bytes, isEnded } = log.snapshot();
    const key = `${renderPosition(position)} ${bytes} ${isEnded}`;
    const known = this.#last.get(log);
    if (known?.key === key) return known.chunk;
    const chunk = readChunk(log, position);
    this.#last.set(log, { key, chunk });
    return chunk;
  }
}

interface StreamChunk {
  /** Ready to be sent; empty when there is nothing new to say. */
  text: string;
  next: LogPosition;
  readTo: number;
}

async function readChunk(log: ReadableLog, position: LogPosition): Promise<StreamChunk> {
  const snapshot = log.snapshot();
  const step = await readStep(log, position, snapshot.isEnded);
  const notes = notesOf(snapshot).filter(({ offset }) => offset >= position.offset && offset <= step.readTo);
  const data = linesJson({ lines: step.lines, notes });
  const isSilent = data.lines.length === 0 && data.notes.length === 0;
  const text = isSilent ? "" : renderEvent("lines", data, renderPosition(step.next));
  return { text, next: step.next, readTo: step.readTo };
}

/** JSON holds no newline, so that nothing of a log can begin a field of the stream. https://html.spec.whatwg.org/multipage/server-sent-events.html */
function renderEvent(event: string, data: unknown, id?: string): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/**
 * The events of a log from a position on, for as long as somebody reads: made when they are asked for, so that who does not read costs one
 * chunk. `lines` with an id at which another stream can go on; `skipped` where a reader was too far behind; `end`. Without `end` it is over
 * where the log goes on elsewhere: another stream finds it there. A reader may come from further on than the log is read here, after a restart
 * or from another replica: it hears no more until that place is passed.
 */
export async function* streamLog(
  log: ReadableLog,
  from: LogPosition,
  { chunks, clock, signal }: { chunks: SharedChunks; clock: Clock; signal: AbortSignal },
): AsyncGenerator<string> {
  let position = from;
  let readTo = -1;
  for (;;) {
    const { bytes, isEnded, isLeft } = log.snapshot();
    if (bytes - position.offset > MAX_BEHIND_BYTES) {
      position = startAt(log, bytes);
      yield renderEvent("skipped", { line: position.line }, renderPosition(position));
    }
    if (bytes > readTo) {
      const chunk = await chunks.read(log, position);
      if (chunk.text !== "") yield chunk.text;
      const isStill = chunk.next.offset === position.offset && chunk.readTo <= readTo;
      position = chunk.next;
      // What cannot be read yet is waited for, as what has not come.
      readTo = isStill ? bytes : chunk.readTo;
      if (!isStill) continue;
    }
    if (isEnded && log.snapshot().bytes <= readTo) {
      yield renderEvent("end", {}, renderPosition(position));
      return;
    }
    if (isLeft === true && log.snapshot().bytes <= readTo) return;
    if (!(await grown(log, readTo, clock, signal))) {
      if (signal.aborted) return;
      yield ": still here\n\n";
    }
  }
}

/** The beginning of a line near the end. */
function startAt(log: ReadableLog, bytes: number): LogPosition {
  const { offset, lines } = pointBefore(log.points(), Math.max(0, bytes - MAX_BEHIND_BYTES / 8));
  return { offset, line: lines + 1, isInside: false };
}

/** Resolves to false when nothing came for a while, or `signal` aborts. */
async function grown(log: ReadableLog, readTo: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
  const { bytes } = log.snapshot();
  if (bytes > readTo) return true;
  const over = new AbortController();
  const cancel = clock.schedule(HEARTBEAT_MS, () => over.abort());
  try {
    await log.changed(AbortSignal.any([signal, over.signal]));
    return true;
  } catch (error) {
    if (signal.aborted || over.signal.aborted) return false;
    throw error;
  } finally {
    cancel();
  }
}
