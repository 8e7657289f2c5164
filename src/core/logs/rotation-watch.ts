import type { LogHole, LogPosition } from "./log-position.ts";
import { compareTimes } from "./log-time.ts";

/** A file may begin with a later piece of a line; then its first timestamp is not in a stream that came there from the file before. */
const PIECE_BYTES = 4096;
const MAX_HEADS = 64;

/**
 * Knows by which line each file of a rotated log begins, and sees to it that a stream passes each of them.
 *
 * A stream can go past a file without a word: its reader opens the newest file when it hears, at the end of one, that another was made. What
 * was made meanwhile and rotated away is left out (k8s.io/cri-client, pkg/logs/logs.go, `ReadLogs`: `recreated`), and of a file that was
 * made before the reader first came to an end it hears nothing, and waits for the next. The kubelet rotates a log every 3 s at most
 * (`containerLogMonitorInterval`), so whoever looks more often knows the first line of every file: of one that the stream had passed by then
 * nothing is left out, as it was the newest; the others must come.
 */
export class RotationWatch {
  #heads: string[] = [];
  #newest = "";
  readonly #open = new Set<string>();

  /** Files are known that no line has come of. */
  get isWaiting(): boolean {
    return this.#heads.length > 0;
  }

  /** The file that is written now begins with the line of this timestamp; the log was taken up to `position`. */
  noteHead(time: string, position: LogPosition): void {
    if (time === this.#newest) return;
    this.#newest = time;
    if (compareTimes(time, position.time) <= 0) return;
    this.#heads.push(time);
    if (this.#heads.length > MAX_HEADS) this.#heads.splice(1, 1);
  }

  /** By which line the file begins that comes next; undefined where none is known. */
  get next(): string | undefined {
    return this.#heads[0];
  }

  /** Whether the file that begins with this line is one of those that no line has come of. */
  isExpected(head: string): boolean {
    return this.#heads.includes(head);
  }

  /** There is a stream that begins with this line, and so with that file, wherever the kubelet has put it since. */
  noteOpen(head: string): void {
    this.#open.add(head);
  }

  noteClosed(head: string): void {
    this.#open.delete(head);
  }

  /** Whether a line of this timestamp is of a later file than the one that comes next, and that can still be read. */
  isTooFar(time: string): boolean {
    return this.#heads.indexOf(time) > 0 && this.#open.has(this.#heads[0] as string);
  }

  /** A line of this timestamp comes after `previous`. */
  passes(previous: LogPosition, time: string): LogHole | undefined {
    const at = this.#heads.indexOf(time);
    if (at === -1) {
      if (previous.taken > PIECE_BYTES) this.#heads = this.#heads.filter((head) => !isBetween(head, previous.time, time));
      return undefined;
    }
    this.#heads.splice(0, at + 1);
    return at === 0 ? undefined : { after: previous.time, before: time };
  }

  /** What is missing if the log ends here. */
  atEnd(position: LogPosition): LogHole | undefined {
    if (position.taken > PIECE_BYTES) this.#heads = this.#heads.filter((head) => compareTimes(head, position.time) <= 0);
    return this.isWaiting ? { after: position.time, before: undefined } : undefined;
  }
}

function isBetween(time: string, from: string, to: string): boolean {
  return compareTimes(from, time) < 0 && compareTimes(time, to) < 0;
}
