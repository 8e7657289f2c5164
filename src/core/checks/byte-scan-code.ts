/** WebAssembly's binary format, as much as is needed here: https://webassembly.github.io/spec/core/binary/ */
type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const VECTOR = 0xfd;

const vector = (count: number, entries: Code): Code => [...unsigned(count), ...entries];
const section = (id: number, entries: readonly Code[]): Code => sized([id], vector(entries.length, entries.flat()));
const sized = (head: Code, body: Code): Code => [...head, ...unsigned(body.length), ...body];
const text = (value: string): Code =>
  vector(
    value.length,
    Array.from(value, (letter) => letter.charCodeAt(0)),
  );

const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
const tee = (local: number, value: Code): Code => [...value, 0x22, local];
const number = (value: number): Code => [0x41, ...signed(value)];
const plus = (one: Code, other: Code): Code => [...one, ...other, 0x6a];
const isBelow = (one: Code, other: Code): Code => [...one, ...other, 0x49];
const trailingZeros = (value: Code): Code => [...value, 0x68];
/** While the condition that `body` ends with holds. */
const loop = (body: Code): Code => [0x03, 0x40, ...body, 0x0d, 0x00, 0x0b];
const when = (condition: Code, body: Code): Code => [...condition, 0x04, 0x40, ...body, 0x0b];
const answer = (value: Code): Code => [...value, 0x0f];

/** Sixteen bytes of memory, wherever they begin. */
const load = (at: Code, offset: number): Code => [...at, VECTOR, 0x00, 0x00, ...unsigned(offset)];
const sixteen = (byte: number): Code => [VECTOR, 0x0c, ...new Array<number>(16).fill(byte)];
const both = (one: Code, other: Code): Code => [...one, ...other, VECTOR, 0x4e];
const either = (one: Code, other: Code): Code => [...one, ...other, VECTOR, 0x50];
const minus = (one: Code, other: Code): Code => [...one, ...other, VECTOR, ...unsigned(0x71)];
const equal = (one: Code, other: Code): Code => [...one, ...other, VECTOR, 0x23];
const unequal = (one: Code, other: Code): Code => [...one, ...other, VECTOR, 0x24];
const isAny = (value: Code): Code => [...value, VECTOR, 0x53];
/** A bit for each byte, of its highest bit. */
const highBits = (value: Code): Code => [...value, VECTOR, 0x64];
/** Of each byte of `places`, below 16, the byte of `table`: then it is the same everywhere, and faster than the unrelaxed one. */
const lookUp = (table: Code, places: Code): Code => [...table, ...places, VECTOR, ...unsigned(0x100)];
/** Of each byte its upper half, with what comes of its neighbour above that. */
const shiftedHalf = (value: Code): Code => [...value, ...number(4), VECTOR, ...unsigned(0x8d)];
/** Of all sixteen bytes: of two each, of four each, and those four. */
const sumOfBytes = (local: number, value: Code): Code => {
  const fours: Code = [...value, VECTOR, ...unsigned(0x7d), VECTOR, ...unsigned(0x7f)];
  const lane = (place: number): Code => [...get(local), VECTOR, 0x1b, place];
  return [...set(local, fours), ...[1, 2, 3].map(lane).reduce(plus, lane(0))];
};

const STEP_BYTES = 16;
/** A byte counts no further. */
const MOST_STEPS = 255;
const PAGE_BYTES = 2 ** 16;
const [AT, END] = [0, 1];

/**
 * A WebAssembly module with vector instructions, which JavaScript has none of, for text in `memory` from `textAt` on:
 *
 * `next(at, end)`: where, from `at` on, three bytes stand that the tables allow; `end` or more where nowhere. The tables begin at 0, of
 * 16 bytes, two for each of the three: what the lower half of the byte allows, and the upper one, a bit for each of eight groups. Some group
 * must be allowed by all six (Teddy, of Hyperscan).
 *
 * `newlines(at, end)`: how many there are, in steps of 16 bytes: `end` is at least one such step away.
 *
 * Up to 33 bytes after `end` are read.
 */
export function byteScanCode(textAt: number, memoryBytes: number): Uint8Array<ArrayBuffer> {
  const pages = Math.ceil(memoryBytes / PAGE_BYTES);
  const functionType = [0x60, ...vector(2, [I32, I32]), ...vector(1, [I32])];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [functionType]),
    ...section(3, [[0x00], [0x00]]),
    ...section(5, [[0x01, ...unsigned(pages), ...unsigned(pages)]]),
    ...section(7, [
      [...text("memory"), 0x02, 0x00],
      [...text("next"), 0x00, 0x00],
      [...text("newlines"), 0x00, 0x01],
    ]),
    ...section(10, [nextCode(textAt), newlinesCode(textAt)]),
  ]);
}

function nextCode(textAt: number): Code {
  const [bytes, half, ...hits] = [8, 9, 10, 11] as const;
  const low = (place: number) => 2 + 2 * place;
  const high = (place: number) => low(place) + 1;
  const allowed = (place: number, step: number): Code =>
    both(
      lookUp(get(low(place)), both(tee(bytes, load(get(AT), textAt + place + step * STEP_BYTES)), get(half))),
      lookUp(get(high(place)), both(shiftedHalf(get(bytes)), get(half))),
    );
  const tables = [0, 1, 2].flatMap((place) => [
    ...set(low(place), load(number(0), place * 32)),
    ...set(high(place), load(number(0), place * 32 + 16)),
  ]);
  // A constant within the loop would be made anew in each step.
  const constants = set(half, sixteen(0x0f));
  const answerOf = (hit: number, step: number): Code =>
    when(
      isAny(tee(hit, both(get(hit), allowed(2, step)))),
      answer(plus(plus(get(AT), number(step * STEP_BYTES)), trailingZeros(highBits(unequal(get(hit), sixteen(0)))))),
    );
  // Two steps a time. In most nothing is allowed by the first two bytes.
  const [first, second] = hits.map((hit, step) => tee(hit, both(allowed(0, step), allowed(1, step)))) as [Code, Code];
  const search = loop([
    ...when(isAny(either(first, second)), hits.flatMap(answerOf)),
    ...isBelow(tee(AT, plus(get(AT), number(2 * STEP_BYTES))), get(END)),
  ]);
  return makeFunction([[10, V128]], [...tables, ...constants, ...search, ...get(END)]);
}

function newlinesCode(textAt: number): Code {
  const [count, stop, counts, newlines] = [2, 3, 4, 5];
  const countStep = set(counts, minus(get(counts), equal(load(get(AT), textAt), get(newlines))));
  const body = loop([
    ...set(counts, sixteen(0)),
    ...set(stop, plus(get(AT), number(MOST_STEPS * STEP_BYTES))),
    ...when(isBelow(get(END), get(stop)), set(stop, get(END))),
    ...loop([...countStep, ...isBelow(tee(AT, plus(get(AT), number(STEP_BYTES))), get(stop))]),
    ...set(count, plus(get(count), sumOfBytes(counts, get(counts)))),
    ...isBelow(get(AT), get(END)),
  ]);
  return makeFunction(
    [
      [2, I32],
      [2, V128],
    ],
    [...set(newlines, sixteen(0x0a)), ...body, ...get(count)],
  );
}

/** `locals` after the two arguments: how many of which type. */
function makeFunction(locals: readonly Code[], body: Code): Code {
  return sized([], [...vector(locals.length, locals.flat()), ...body, 0x0b]);
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
