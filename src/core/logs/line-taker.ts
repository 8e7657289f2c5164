import { BEFORE_ALL, type LogHole, type LogPosition } from "./log-position.ts";
import { compareTimes, MAX_TIME_LENGTH, NEEDS_MORE, prefixLength, timeMs } from "./log-time.ts";
import type { RotationWatch } from "./rotation-watch.ts";

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);

/**
 * Of a line without an end, what came last is kept back: the kubelet writes why it fails as text behind whatever it has sent, without so much
 * as a newline before it (pkg/kubelet/server/server.go, getContainerLogs: `response.WriteError` after the body has begun).
 */
const MAX_KEPT = 4096;
/** A line is not found any more once lines that are so much younger have come: two streams of a container don't write in order of time. */
const SEARCH_MS = 1000;

/**
 * Where the stream stands: `searching` for the line up to which the log was taken before, `taking`; `absent`: that line is not in it; `passed`: it has gone on
 * to a later file than it should; `foreign`: it says something that no container printed.
 */
export type TakerState = "searching" | "taking" | "absent" | "passed" | "foreign";

interface TakerOptions {
  /** A stream with `sinceTime` may begin with the rest of a line whose first piece is older, without a timestamp. */
  readonly isCut: boolean;
  /** The line up to which the log was taken is known to be gone. */
  readonly takesAll: boolean;
  /** What is missing before the first line, by its timestamp. */
  readonly holeBefore?: ((time: string) => LogHole | undefined) | undefined;
  /** Told of each line that begins to be taken: whole lines before it in this stream, and its timestamp, of which so many bytes count. */
  readonly onLine?: ((lines: number, time: Uint8Array, timeLength: number) => void) | undefined;
  /** If nothing is, the first line is the rest of one that began with this. */
  readonly continues?: Uint8Array | undefined;
}

/**
 * Takes out of one stream with timestamps what the container has printed and was not taken before. A line is what the stream has between two
 * newlines: a longer one than the runtime writes at once (16 KiB) comes in pieces, of which the first alone has a timestamp
 * (k8s.io/cri-client, pkg/logs/logs.go, `isNewLine`).
 */
export class LineTaker {
  state: TakerState;
  lines = 0;
  readonly #from: LogPosition;
  readonly #rotation: RotationWatch;
  /** A part of a timestamp, or the end of a line that has no end yet. */
  #kept: Uint8Array = NOTHING;
  #isAtStart = true;
  #isFirst: boolean;
  #found = 0;
  #toSkip = Number.POSITIVE_INFINITY;
  #line = makeLine();
  #previous = makeLine();
  #sawLine = false;
  #holeBefore: TakerOptions["holeBefore"];
  readonly #onLine: TakerOptions["onLine"];
  #continues: Uint8Array;
  #isMixed = false;

  /** What comes after `from` is taken. */
  constructor(from: LogPosition, rotation: RotationWatch, { isCut, takesAll, holeBefore, onLine, continues }: TakerOptions) {
    this.#from = from;
    this.#rotation = rotation;
    this.#isFirst = isCut;
    this.#holeBefore = holeBefore;
    this.#onLine = onLine;
    this.#continues = continues ?? NOTHING;
    this.state = takesAll || from.time === "" ? "taking" : "searching";
    if (takesAll) return;
    const line = this.#line;
    for (let index = 0; index < from.time.length; index += 1) line.time[index] = from.time.charCodeAt(index);
    line.timeLength = from.time.length;
    line.count = from.count;
    line.taken = from.taken;
  }

  /** BEFORE_ALL until the first line of a stream that takes all has come. */
  get position(): LogPosition {
    if (this.state === "searching" || this.state === "absent") return this.#from;
    // A line of which nothing was taken says nothing that would tell it from another one of its timestamp.
    const line = this.#isAtStart || this.#line.taken > 0 ? this.#line : this.#previous;
    if (line.timeLength === 0) return BEFORE_ALL;
    const time = asText(line.time.subarray(0, line.timeLength));
    return { time, count: line.count, taken: line.taken, isWhole: line !== this.#line || this.#isAtStart };
  }

  /** What is kept back of a line without an end. */
  get unfinished(): Uint8Array {
    return this.#isAtStart ? NOTHING : this.#kept;
  }

  /** The last line has an end from a later file. */
  get isMixed(): boolean {
    return this.#isMixed;
  }

  /** Whether any line has come, taken or not. */
  get sawLine(): boolean {
    return this.#sawLine;
  }

  /** Nothing more of this stream is of use. */
  get isUsedUp(): boolean {
    return this.state === "absent" || this.state === "passed" || (this.state === "foreign" && this.#kept.length >= MAX_KEPT);
  }

  /** For messages: what no container has printed. */
  get foreignWords(): string {
    return asText(this.#kept.subarray(0, 500));
  }

  /** Moves what is taken together within `chunk`, which is the taker's from then on. Holes stand where they are. */
  take(chunk: Uint8Array): (Uint8Array | LogHole)[] {
    if (this.state === "foreign") this.#kept = joined(this.#kept, chunk).subarray(0, MAX_KEPT);
    const data = this.#kept.length === 0 ? chunk : joined(this.#kept, chunk);
    if (this.state !== "searching" && this.state !== "taking") return [];
    this.#kept = NOTHING;
    const at = this.state === "searching" ? this.#search(data) : 0;
    return this.state === "taking" ? this.#takeFrom(data, at) : [];
  }

  #takeFrom(data: Uint8Array, start: number): (Uint8Array | LogHole)[] {
    const parts: (Uint8Array | LogHole)[] = [];
    const end = data.length;
    let at = start;
    let from = start;
    let write = start;
    let lineWrite = start;
    while (at < end) {
      if (this.#isAtStart) {
        const length = prefixLength(data, at);
        if (length <= 0) {
          if (length === 0 && this.#isFirst) {
            const newline = data.indexOf(NEWLINE, at);
            if (newline !== -1) {
              this.#isFirst = false;
              at = newline + 1;
              continue;
            }
          } else if (length === 0) this.state = "foreign";
          this.#kept = data.slice(at);
          break;
        }
        if (this.#rotation.isWaiting && this.#rotation.isTooFar(asText(data.subarray(at, at + length - 1)))) {
          this.state = "passed";
          this.#isMixed = !this.#rotation.isExpected(asText(data.subarray(at, at + length - 1)));
          break;
        }
        this.#isFirst = false;
        const hole = this.#begin(data, at, length - 1);
        if (hole !== undefined) {
          if (write > from) parts.push(data.subarray(from, write));
          parts.push(hole);
          from = write;
        }
        if (hole === undefined && this.#continues.length > 0) parts.push(this.#continues);
        this.#continues = NOTHING;
        lineWrite = write;
        at += length;
        if (at === end) break;
      }
      const newline = data.indexOf(NEWLINE, at);
      const next = newline === -1 ? end : newline + 1;
      if (write !== at) data.copyWithin(write, at, next);
      write += next - at;
      this.#line.taken += next - at;
      at = next;
      if (newline !== -1) {
        this.#isAtStart = true;
        this.lines += 1;
      }
    }
    if (!this.#isAtStart) {
      const kept = Math.min(MAX_KEPT, write - lineWrite);
      write -= kept;
      this.#line.taken -= kept;
      this.#kept = data.slice(write, write + kept);
    }
    if (write > from) parts.push(data.subarray(from, write));
    return parts;
  }

  /** Where the first byte is that was not taken before. */
  #search(data: Uint8Array): number {
    let at = 0;
    while (at < data.length) {
      if (this.#isAtStart) {
        const length = prefixLength(data, at);
        if (length === NEEDS_MORE) {
          this.#kept = data.slice(at);
          return data.length;
        }
        this.#isAtStart = false;
        if (length > 0) {
          this.#sawLine = true;
          const time = asText(data.subarray(at, at + length - 1));
          at += length;
          if (time === this.#from.time && ++this.#found === this.#from.count) this.#toSkip = this.#from.taken;
          else if (compareTimes(time, this.#from.time) > 0 && timeMs(time) - timeMs(this.#from.time) > SEARCH_MS) {
            this.state = "absent";
            return data.length;
          }
        }
      }
      const newline = data.indexOf(NEWLINE, at);
      const next = newline === -1 ? data.length : newline + 1;
      const skipped = Math.min(next - at, this.#toSkip);
      this.#toSkip -= skipped;
      at += skipped;
      this.#isAtStart = newline !== -1 && at === next;
      const isFound = this.#toSkip !== Number.POSITIVE_INFINITY;
      if (isFound && (this.#toSkip === 0 || this.#isAtStart)) {
        // One that is shorter or longer only bears the same timestamp.
        const isSame = this.#toSkip === 0 && this.#isAtStart === this.#from.isWhole;
        this.state = isSame ? "taking" : "absent";
        this.#isFirst = false;
        return at;
      }
    }
    return at;
  }

  /** Notes the timestamp of the line that begins. */
  #begin(data: Uint8Array, at: number, length: number): LogHole | undefined {
    const previous = this.#rotation.isWaiting ? this.position : undefined;
    const last = this.#line;
    const line = this.#previous;
    this.#previous = last;
    this.#line = line;
    let isSame = length === last.timeLength;
    for (let index = length - 1; index >= 0; index -= 1) {
      const byte = data[at + index] as number;
      isSame &&= last.time[index] === byte;
      line.time[index] = byte;
    }
    line.timeLength = length;
    line.count = isSame ? last.count + 1 : 1;
    line.taken = 0;
    this.#isAtStart = false;
    this.#sawLine = true;
    this.#onLine?.(this.lines, line.time, length);
    if (previous === undefined && this.#holeBefore === undefined) return undefined;
    const text = asText(line.time.subarray(0, length));
    const holes = [this.#holeBefore?.(text), previous === undefined ? undefined : this.#rotation.passes(previous, text)];
    this.#holeBefore = undefined;
    return holes.find((hole) => hole !== undefined);
  }
}

/** A line that comes, or has come; `time` is a buffer of which `timeLength` bytes count. */
function makeLine(): { readonly time: Uint8Array; timeLength: number; count: number; taken: number } {
  return { time: new Uint8Array(MAX_TIME_LENGTH), timeLength: 0, count: 0, taken: 0 };
}

function asText(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
