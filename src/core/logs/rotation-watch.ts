import type { LogHole, LogPosition } from "./log-position.ts";
import { compareTimes } from "./log-time.ts";

const MAX_HEADS = 64;

/**
 * Knows by which line each file of a rotated log begins, and sees to it that a stream passes each of them.
 *
 * A stream can go past a file without a word: its reader opens the newest file when it hears, at the end of one, that another was made. What
 * was made meanwhile and rotated away is left out (k8s.io/cri-client, pkg/logs/logs.go, `ReadLogs`: `recreated`), and of a file that was
 * made before the reader first came to an end it hears nothing, and waits for the next. The kubelet rotates a log every 3 s at most
 * (`containerLogMonitorInterval`), so whoever looks more often knows the first line of every file: of one that the stream had passed by then
 * nothing is left out, as it was the newest; the others must come.
 *
 * A line may be cut by a rotation: containerd writes its first part to the old file, without an end, and the rest to the new one as a line. A
 * stream that goes from one to the other has both as one line, without the new file's first timestamp.
 */
export class RotationWatch {
  #heads: string[] = [];
  #newest = "";
  readonly #open = new Set<string>();
  /** The stream went on to another file within a line: to which, the next look tells. */
  #doubt: LogHole | undefined;

  /** Files are known that no line has come of. */
  get isWaiting(): boolean {
    return this.#heads.length > 0;
  }

  /** The file that is written now begins with the line of this timestamp; the log was taken up to `position`. Gives what is missing before it. */
  noteHead(time: string, position: LogPosition): LogHole | undefined {
    const doubt = this.#doubt;
    this.#doubt = undefined;
    if (time === this.#newest) return undefined;
    this.#newest = time;
    // It was there already when the stream went on, and so it went on to this one.
    if (doubt?.before !== undefined && compareTimes(time, doubt.before) <= 0) return doubt;
    if (compareTimes(time, position.time) <= 0) return undefined;
    this.#heads.push(time);
    if (this.#heads.length > MAX_HEADS) this.#heads.splice(1, 1);
    return undefined;
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
    return this.#reach(time) > 1 && this.#open.has(this.#heads[0] as string);
  }

  /** A line of this timestamp comes after `previous`. */
  passes(previous: LogPosition, time: string): LogHole | undefined {
    const reach = this.#reach(time);
    if (reach === 0) return undefined;
    const hole = { after: previous.time, before: time };
    if (reach === 1 && this.#heads[0] !== time) this.#doubt = hole;
    this.#heads.splice(0, reach);
    return reach === 1 ? undefined : hole;
  }

  /** How many of the files that are expected begin before a line of this timestamp, or with it. */
  #reach(time: string): number {
    return this.#heads.filter((head) => compareTimes(head, time) <= 0).length;
  }

  /** What is missing if the log ends here. */
  atEnd(position: LogPosition): LogHole | undefined {
    return this.isWaiting ? { after: position.time, before: undefined } : undefined;
  }
}
