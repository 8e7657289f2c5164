import { LineTaker } from "./line-taker.ts";
import { BEFORE_ALL, type LogHole, type LogPosition } from "./log-position.ts";
import { prefixLength, secondBefore, TimeReader, timeMs } from "./log-time.ts";
import { RotationWatch } from "./rotation-watch.ts";

const NEWLINE = 0x0a;
/** A tail of more lines than this is as long as the log itself. */
const MAX_TAIL_LINES = 100;
/** So often the API may say that there is nothing, where there was something. */
const MAX_NOTHINGS = 5;

/**
 * Whoever opened a log later than this after its container's start may have come after a rotation, the first or a later one. Sooner it is
 * seldom opened: a kubelet looks at its containers each second, and a pod's stamps are in whole seconds.
 */
const LATE_MS = 3000;
/** A line so soon after the start of its container, and the rounding of that, is the first that was printed. */
const FIRST_LINE_MS = 2000;

/**
 * A stream is silent at the end of a file where its reader has not heard of the next one, which happens when so much is printed that the file is
 * rotated while it is read: the next one then begins at once. After a pause it is not known why the stream was silent.
 */
const AT_ONCE_MS = 500;

/** What is to be done once a stream is over. */
export type NextStep =
  /** The log was taken whole: `rest` are its last bytes. */
  | { readonly kind: "finished"; readonly rest: Uint8Array; readonly hole: LogHole | undefined }
  /** If these last lines of the log pass `isConfirmedBy`, it was taken whole; else it is to be opened again. */
  | { readonly kind: "confirm"; readonly tailLines: number }
  | { readonly kind: "open" }
  /** To be opened again after a while; `words` are the kubelet's. */
  | { readonly kind: "failed"; readonly words: string };

/** When the container was started, and how much later its log was opened for the first time. */
interface LogStart {
  readonly startedMs: number;
  readonly lateMs: number;
}

/**
 * How a stream ended: the server ended it, as it does when the container has ended; it broke; or it was left, as nothing came of it for a while
 * although there should have been something.
 */
export type StreamEnd = "clean" | "broken" | "silent";

/**
 * A container's log put together from streams of it, each with timestamps and, but for the first, from the second of the last line on
 * (`sinceTime`: the API server knows whole seconds only). Nothing is taken twice, and where something may be missing there is a hole.
 */
export class FollowedLog {
  readonly rotation = new RotationWatch();
  #position: LogPosition;
  #lines: number;
  #taker: LineTaker;
  /** The line up to which the log was taken is not there any more. */
  #isLost = false;
  /** How the last stream that gave anything showed that it had come to the end of its file. */
  #drained: "by its end" | "by silence" | undefined;
  #unfinished: Uint8Array = new Uint8Array(0);
  #nothings = 0;
  readonly #start: () => LogStart | undefined;
  readonly #onTime: ((line: number, ms: number) => void) | undefined;
  readonly #times = new TimeReader();

  /** `start` is asked when the first line comes, or none; `onTime` is told of each line, from 1, when it was printed. */
  constructor(
    position: LogPosition = BEFORE_ALL,
    lines = 0,
    start: () => LogStart | undefined = () => undefined,
    onTime?: (line: number, ms: number) => void,
  ) {
    this.#position = position;
    this.#lines = lines;
    this.#start = start;
    this.#onTime = onTime;
    this.#taker = this.#makeTaker();
  }

  /** As it stands after what `take` has given. */
  get position(): LogPosition {
    const { position } = this.#taker;
    return position.time === "" ? this.#position : position;
  }

  /** Whole lines. */
  get lines(): number {
    return this.#lines + this.#taker.lines;
  }

  get isSearching(): boolean {
    return this.#taker.state === "searching";
  }

  /** The line up to which the log was taken has not come, or is not there. */
  get lacksLine(): boolean {
    return this.#taker.state === "searching" || this.#taker.state === "absent";
  }

  /** Nothing more of this stream is of use. */
  get isStreamUsedUp(): boolean {
    return this.#taker.isUsedUp;
  }

  /** The next stream is to be one of the file that comes next (`rotation.next`), if there is one: what the log was taken from is gone. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Where the next stream is to begin; undefined: at the first byte. */
  get sinceTime(): string | undefined {
    return this.#position.time === "" ? undefined : secondBefore(this.#position.time);
  }

  /** Bytes that were printed and not taken before, and holes where they are. `chunk` is changed; what is given is part of it. */
  take(chunk: Uint8Array): (Uint8Array | LogHole)[] {
    return this.#taker.take(chunk);
  }

  /** The stream is over. A stream that was left while it was searched for the last line had no more of it. */
  end(how: StreamEnd): NextStep {
    const taker = this.#taker;
    const before = this.#position;
    const isTaken = taker.state === "taking" || taker.state === "passed";
    const tookNothing = !isTaken || isSame(taker.position, before) || taker.position.time === "";
    this.#position = this.position;
    this.#lines += taker.lines;
    const step = this.#decide(taker, how, tookNothing);
    if (isTaken) this.#unfinished = taker.unfinished;
    if (!tookNothing) {
      this.#isLost = false;
      this.#nothings = 0;
    }
    if (taker.state === "passed" || (step.kind === "open" && !isTaken && how !== "broken")) this.#isLost = true;
    // A kubelet that ends looks like a container that has ended. It can't be read again at once, and then nothing is known of what was left.
    if (how === "broken" && (isTaken || this.#drained === "by its end")) this.#drained = undefined;
    else if (isTaken) this.#drained = taker.isMixed ? undefined : how === "silent" ? "by silence" : "by its end";
    this.#taker = this.#makeTaker();
    return step;
  }

  /** Whether these last lines of the log are the last that were taken. */
  isConfirmedBy(tail: Uint8Array): boolean {
    const { time, count } = this.#position;
    const times: string[] = [];
    for (let at = 0; at < tail.length; ) {
      const length = prefixLength(tail, at);
      if (length <= 0) return false;
      times.push(String.fromCharCode(...tail.subarray(at, at + length - 1)));
      const newline = tail.indexOf(NEWLINE, at);
      if (newline === -1) return false;
      at = newline + 1;
    }
    return times.length >= count && times.every((each, index) => (each === time) === index >= times.length - count);
  }

  #decide(taker: LineTaker, how: StreamEnd, tookNothing: boolean): NextStep {
    if (taker.state === "foreign") return { kind: "failed", words: taker.foreignWords };
    if (how === "broken") return { kind: "open" };
    if (taker.state === "absent" || taker.state === "passed") return { kind: "open" };
    if (taker.state === "searching") {
      if (taker.sawLine) return { kind: "open" };
      this.#nothings += 1;
      if (how === "silent" || this.#nothings < MAX_NOTHINGS) return { kind: "failed", words: "there is no line in the log" };
      return this.finish(this.#drained ? undefined : { after: this.#position.time, before: undefined });
    }
    if (how === "silent") return { kind: "open" };
    const { unfinished } = taker;
    if (tookNothing && equal(unfinished, this.#unfinished)) return this.finish(undefined, unfinished);
    const { count, isWhole, time } = this.#position;
    if (unfinished.length === 0 && isWhole && time !== "" && count < MAX_TAIL_LINES) return { kind: "confirm", tailLines: count + 1 };
    return { kind: "open" };
  }

  /** As far as it was taken, this is all that can be had of the log. */
  finish(hole: LogHole | undefined, rest: Uint8Array = new Uint8Array(0)): NextStep & { kind: "finished" } {
    const isLate = this.position.time === "" && rest.length === 0 && (this.#start()?.lateMs ?? 0) > LATE_MS;
    const holeOfAll = isLate ? { after: "", before: undefined } : undefined;
    return { kind: "finished", rest, hole: hole ?? this.rotation.atEnd(this.position) ?? holeOfAll };
  }

  /** Whether something may be missing before the first line. */
  #holeAtBeginning(time: string): LogHole | undefined {
    const start = this.#start();
    const isFirst = start === undefined || start.lateMs <= LATE_MS || timeMs(time) - start.startedMs < FIRST_LINE_MS;
    return isFirst ? undefined : { after: "", before: time };
  }

  #makeTaker(): LineTaker {
    const from = this.#position;
    const drained = this.#drained;
    // The connection may be as silent as the file.
    const isNext = (time: string) =>
      drained === "by its end" || (drained === "by silence" && timeMs(time) - timeMs(from.time) <= AT_ONCE_MS);
    const holeBefore = (time: string) => {
      if (this.#isLost && !(isNext(time) && this.rotation.next === time)) return { after: from.time, before: time };
      return from.time === "" ? this.#holeAtBeginning(time) : undefined;
    };
    const onTime = this.#onTime;
    return new LineTaker(from, this.rotation, {
      onLine: onTime && ((lines, time, length) => onTime(this.#lines + lines + 1, this.#times.read(time, length))),
      isCut: from.time !== "",
      takesAll: this.#isLost,
      holeBefore: this.#isLost || from.time === "" ? holeBefore : undefined,
      continues: this.#isLost && drained ? this.#unfinished : undefined,
    });
  }
}

function isSame(a: LogPosition, b: LogPosition): boolean {
  return a.time === b.time && a.count === b.count && a.taken === b.taken && a.isWhole === b.isWhole;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
