import type { LineTimes } from "../core/checks/line-times.ts";

const NEWLINE = 0x0a;
/** RFC 3339 with the blank after it, as `kubectl logs --timestamps` and `docker logs --timestamps` write it. */
const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) /;
const MAX_STAMP = 37;

/**
 * A log whose lines may begin with timestamps: takes them away, and notes the times. Whether they do is decided by the first line; in such a log a
 * line without one, as the rest of a very long one, stays as it is.
 */
export class TimedLog {
  readonly #times: LineTimes;
  #isTimed: boolean | undefined;
  #line = 1;
  #isAtStart = true;
  #kept = Buffer.alloc(0);

  constructor(times: LineTimes) {
    this.#times = times;
  }

  /** undefined before the first line. */
  get isTimed(): boolean | undefined {
    return this.#isTimed;
  }

  /** The same text without timestamps; parts share memory with `chunk`. */
  write(chunk: Buffer): Buffer[] {
    if (this.#isTimed === false) return [chunk];
    return this.#take(this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]), false);
  }

  end(): Buffer[] {
    return this.#take(this.#kept, true);
  }

  #take(data: Buffer, isEnd: boolean): Buffer[] {
    const parts: Buffer[] = [];
    this.#kept = Buffer.alloc(0);
    for (let at = 0; at < data.length; ) {
      const newline = data.indexOf(NEWLINE, at);
      if (this.#isAtStart) {
        if (newline < 0 && data.length - at < MAX_STAMP && !isEnd) {
          this.#kept = Buffer.from(data.subarray(at));
          break;
        }
        at += this.#stampLength(data, at);
        if (this.#isTimed === false) return [...parts, data.subarray(at)];
      }
      const end = newline < 0 ? data.length : newline + 1;
      if (end > at) parts.push(data.subarray(at, end));
      this.#isAtStart = newline >= 0;
      if (newline >= 0) this.#line += 1;
      at = end;
    }
    return parts;
  }

  #stampLength(data: Buffer, at: number): number {
    const [whole = "", stamp = ""] = STAMP.exec(data.toString("latin1", at, Math.min(data.length, at + MAX_STAMP))) ?? [];
    this.#isTimed ??= whole !== "";
    const ms = Date.parse(stamp);
    if (!Number.isNaN(ms)) this.#times.note(this.#line, ms);
    return whole.length;
  }
}
