/**
 * The timestamps that the kubelet writes before each line (`timestamps=true`): RFC3339NanoFixed of k8s.io/cri-client, pkg/logs/logs.go, with
 * nine digits of fraction, in the time zone of the node: `2026-11-28T01:12:10.123456789Z` or `...+01:00`.
 */
const UTC_LENGTH = 30;
const OFFSET_LENGTH = 35;
export const MAX_TIME_LENGTH = OFFSET_LENGTH;

const [DASH, T, COLON, DOT, Z, PLUS, BLANK, ZERO, NINE] = ["-", "T", ":", ".", "Z", "+", " ", "0", "9"].map((character) =>
  character.charCodeAt(0),
) as [number, number, number, number, number, number, number, number, number];

/** What is there is the beginning of a timestamp, or nothing. */
export const NEEDS_MORE = -1;

/** How long the timestamp that begins at `at` and its blank are; 0 where there is none, `NEEDS_MORE` where that can't be told yet. */
export function prefixLength(data: Uint8Array, at: number): number {
  const left = data.length - at;
  if (left > UTC_LENGTH && data[at + 29] === Z) return isTime(data, at) && data[at + 30] === BLANK ? UTC_LENGTH + 1 : 0;
  if (left > OFFSET_LENGTH) return isTime(data, at) && isOffset(data, at + 29) && data[at + 35] === BLANK ? OFFSET_LENGTH + 1 : 0;
  return mayBecomeTime(data, at, left) ? NEEDS_MORE : 0;
}

function isTime(data: Uint8Array, at: number): boolean {
  return (
    data[at + 4] === DASH &&
    data[at + 7] === DASH &&
    data[at + 10] === T &&
    data[at + 13] === COLON &&
    data[at + 16] === COLON &&
    data[at + 19] === DOT &&
    isDigit(data[at]) &&
    isDigit(data[at + 18]) &&
    isDigit(data[at + 28])
  );
}

function isOffset(data: Uint8Array, at: number): boolean {
  return (data[at] === PLUS || data[at] === DASH) && data[at + 3] === COLON && isDigit(data[at + 5]);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

const SHAPE = "0000-00-00T00:00:00.000000000";

function mayBecomeTime(data: Uint8Array, at: number, length: number): boolean {
  for (let index = 0; index < Math.min(length, SHAPE.length); index += 1) {
    const wanted = SHAPE.charCodeAt(index);
    if (wanted === ZERO ? !isDigit(data[at + index]) : data[at + index] !== wanted) return false;
  }
  return true;
}

/** Below 0 if `a` is earlier, above 0 if it is later. Both are timestamps of the kubelet's, or "" for the time before all. */
export function compareTimes(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "" || b === "") return a === "" ? -1 : 1;
  if (a.slice(29) === b.slice(29)) return a < b ? -1 : 1;
  const difference = Date.parse(a) - Date.parse(b);
  if (difference !== 0) return difference;
  return a.slice(20, 29) === b.slice(20, 29) ? 0 : a.slice(20, 29) < b.slice(20, 29) ? -1 : 1;
}

/** By so much a line may be older than the one before it: the two outputs of a container are stamped apart and written to one file. */
const LATE_MS = 250;

/** `sinceTime` for a stream that holds the line of this timestamp and all after it. The API server passes whole seconds on to the kubelet. */
export function secondBefore(time: string): string {
  const seconds = Math.floor((timeMs(time) - LATE_MS) / 1000);
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** Milliseconds since 1970. */
export function timeMs(time: string): number {
  return Date.parse(time);
}

/** Reads timestamps of lines that come one after another, most of them within one second. */
export class TimeReader {
  /** Its beginning, up to the second. */
  readonly #second = new Uint8Array(19);
  #secondMs = 0;

  /** Milliseconds since 1970, of a timestamp of so many bytes. */
  read(time: Uint8Array, length: number): number {
    let isSame = true;
    for (let index = 18; index >= 0 && isSame; index -= 1) isSame = time[index] === this.#second[index];
    const ms = digit(time[20]) * 100 + digit(time[21]) * 10 + digit(time[22]);
    if (!isSame) {
      this.#second.set(time.subarray(0, 19));
      this.#secondMs = timeMs(String.fromCharCode(...time.subarray(0, length))) - ms;
    }
    return this.#secondMs + ms;
  }
}

function digit(byte = ZERO): number {
  return byte - ZERO;
}
