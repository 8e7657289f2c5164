import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { isRetryable } from "../../runtime/errors.ts";
import type { BuildApi, LogLine, LogLines, LogWindow } from "./build-api.ts";

/** A line as it was printed, or words of the operator's about the log: no line can be taken for those. */
export type LogItem = { kind: "line"; line: LogLine } | { kind: "note"; text: string };

const LINES_AT_ONCE = 2000;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 15_000;
/** In a row: some minutes. */
const MAX_FAILURES = 20;

interface Reading {
  container: string;
  /** To its end, whenever that is; else as far as it is there. */
  isFollowed: boolean;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * A log from its beginning, each line once, when it is whole; what is there at once comes together. What breaks meanwhile is opened again.
 * Rejects with an ApiError.
 */
export async function* readLog(api: BuildApi, reading: Reading): AsyncGenerator<LogItem[]> {
  const { container, isFollowed, clock, signal } = reading;
  const taker = new LineTaker();
  let failures = 0;
  let position: string | undefined;
  for (;;) {
    try {
      if (position === undefined) {
        const window = yield* readWindows(api, container, taker);
        if (window.isEnded || !isFollowed) break;
        position = window.position;
      }
      let isEnded = false;
      for await (const event of api.stream(container, position)) {
        failures = 0;
        if (event.event === "end") isEnded = true;
        else if (event.event === "skipped") yield* readWindows(api, container, taker, event.data.line);
        else yield taker.take(event.data);
        position = event.id ?? position;
      }
      if (isEnded) break;
      // It goes on elsewhere: another stream finds it there.
      await clock.sleep(FIRST_PAUSE_MS, signal);
    } catch (error) {
      if (!isRetryable(error) || (position === undefined && taker.next === 1 && failures === 0)) throw error;
      failures += 1;
      if (failures > MAX_FAILURES) throw error;
      await clock.sleep(backoffMs(failures, FIRST_PAUSE_MS, MAX_PAUSE_MS), signal);
    }
  }
  yield taker.end();
}

/** All lines that are there, or those before `until`. Resolves to the last window. */
async function* readWindows(
  api: BuildApi,
  container: string,
  taker: LineTaker,
  until = Number.POSITIVE_INFINITY,
): AsyncGenerator<LogItem[], LogWindow> {
  for (;;) {
    const from = taker.next;
    const window = await api.lines(container, from, LINES_AT_ONCE);
    yield taker.take(window);
    if (taker.next === from) {
      // Behind what is not kept of it.
      const line = Number(/^\d+\.(\d+)/.exec(window.position)?.[1]);
      if (window.lines.length > 0 || !(line > from)) return window;
      taker.next = line;
    }
    if (taker.next >= until) return window;
  }
}

class LineTaker {
  /** The first line that was not told yet. */
  next = 1;
  #open: LogLine | undefined;
  readonly #notes = new Set<string>();

  take({ lines, notes }: LogLines): LogItem[] {
    const items: LogItem[] = [];
    const left = [...notes];
    for (const line of lines) {
      while (left[0] && left[0].before <= line.line) items.push(...this.#takeNote(left.shift()));
      if (line.line < this.next) continue;
      this.#open = line.isOpen ? line : undefined;
      if (line.isOpen) continue;
      this.next = line.line + 1;
      items.push({ kind: "line", line });
    }
    return [...items, ...left.flatMap((note) => this.#takeNote(note))];
  }

  /** Nothing more comes: what had no end is whole. */
  end(): LogItem[] {
    return this.#open ? [{ kind: "line", line: this.#open }] : [];
  }

  #takeNote(note: LogLines["notes"][number] | undefined): LogItem[] {
    const key = `${note?.kind} ${note?.offset}`;
    if (!note || this.#notes.has(key)) return [];
    this.#notes.add(key);
    return [{ kind: "note", text: note.text }];
  }
}
