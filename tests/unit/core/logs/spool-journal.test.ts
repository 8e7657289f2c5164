import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { JournalReader } from "../../../../src/core/logs/journal-reader.ts";
import { BEFORE_ALL } from "../../../../src/core/logs/log-position.ts";
import {
  addPoint,
  renderAttempt,
  renderEnd,
  renderHole,
  renderJournal,
  renderPoint,
  type SpoolPoint,
} from "../../../../src/core/logs/spool-journal.ts";

const point = (offset: number, lines = offset): SpoolPoint => ({
  offset,
  lines,
  attempt: 0,
  position: { time: `t${offset}`, count: 1, taken: 5, isWhole: true },
});
const readerOf = (text: string) => {
  const reader = new JournalReader();
  reader.add(text);
  return reader;
};
const parseJournal = (text: string, size: number) => readerOf(text).state(size);
const journalTerm = (text: string) => readerOf(text).term;

const hole = { offset: 100_000, after: "a", before: "b" };
const last = (points: readonly SpoolPoint[]) => points.at(-1)?.offset;

describe("a spool's journal", () => {
  const text = renderPoint(point(70_000)) + renderHole(hole) + renderPoint(point(140_000));

  it("says again what was written, also in fewer words", () => {
    const state = parseJournal(text + renderEnd(150_000), 150_000);
    assert.deepEqual(state.points.slice(1), [point(70_000), point(140_000)]);
    assert.deepEqual(state.holes, [hole]);
    assert.equal(state.endedAt, 150_000);
    assert.deepEqual(parseJournal(renderJournal(state, 3), 150_000), state);
  });

  it("is read as far as it is whole, wherever its writer was killed", () => {
    const ends = [...text.matchAll(/\n/g)].map(({ index }) => index + 1);
    for (let length = 0; length <= text.length; length += 1) {
      const whole = ends.filter((end) => end <= length).length;
      const { points, endedAt } = parseJournal(text.slice(0, length), 200_000);
      assert.equal(last(points), [0, 70_000, 70_000, 140_000][whole], `${length}`);
      assert.equal(endedAt, undefined);
    }
    assert.equal(last(parseJournal(`${renderPoint(point(70_000))}{"at":-1}\n${renderPoint(point(140_000))}`, 200_000).points), 70_000);
  });

  it("has a writer once its beginning is whole", () => {
    const beginning = renderJournal(parseJournal(text, 200_000), 7);
    for (let length = 0; length < beginning.length; length += 1) assert.equal(journalTerm(beginning.slice(0, length)), undefined);
    assert.equal(journalTerm(beginning), 7);
    assert.equal(journalTerm(`${beginning}${renderPoint(point(210_000))}half`), 7);
    assert.equal(journalTerm(`{"at":-1}\n${beginning}`), undefined);
  });

  it("says where the container was started again, and goes on in the run that was reached", () => {
    const begun: SpoolPoint = { offset: 140_000, lines: 2, attempt: 1, position: BEFORE_ALL };
    const atEnd = { offset: 140_000, after: "t140000", before: undefined };
    const attempts = [{ offset: 140_000, attempt: 1 }];
    const notes =
      renderHole(atEnd) + renderAttempt(attempts[0] as (typeof attempts)[0]) + renderAttempt(attempts[0] as (typeof attempts)[0]);
    const state = parseJournal(text + notes + renderPoint(begun), 200_000);
    assert.deepEqual(state.attempts, attempts);
    assert.deepEqual(state.points.at(-1), begun);
    assert.deepEqual(state.holes, [hole, atEnd], "the hole at the end of a run is not found anew by who goes on in the next");
    assert.deepEqual(parseJournal(renderJournal(state, 0), 200_000), state);
    const before = parseJournal(text + notes, 200_000);
    assert.deepEqual([before.attempts, before.holes], [[], [hole]], "who goes on in the run before comes to both of them once more");
  });

  it("is read in any pieces as at once, and of what comes to the disk later says what it would have said", () => {
    const whole = renderJournal(parseJournal(text, 200_000), 7) + renderPoint(point(210_000)) + renderHole(hole) + renderEnd(220_000);
    for (const length of [1, 7, 100]) {
      const reader = new JournalReader();
      for (let at = 0; at < whole.length; at += length) {
        reader.add(whole.slice(at, at + length));
        reader.state(139_999);
      }
      assert.equal(last(reader.state(139_999).points), 70_000);
      assert.equal(reader.isAhead, true);
      assert.deepEqual(reader.state(220_000), parseJournal(whole, 220_000));
      assert.deepEqual([reader.term, reader.isAhead], [7, false]);
    }
  });

  it("speaks of no more than there is", () => {
    const { points, holes, endedAt } = parseJournal(text + renderEnd(150_000), 139_999);
    assert.equal(last(points), 70_000);
    assert.deepEqual(holes, [], "who goes on before it finds it anew");
    assert.equal(endedAt, undefined);
    assert.equal(
      parseJournal(text + renderEnd(150_000), 150_001).endedAt,
      150_000,
      "what a writer before has left behind the end is no part of it",
    );
  });

  it("has each hole once, and those where it goes on not at all: they are found anew", () => {
    assert.deepEqual(parseJournal(text + renderHole(hole), 150_000).holes, [hole]);
    assert.deepEqual(parseJournal(renderPoint(point(100_000)) + renderHole(hole), 150_000).holes, []);
    assert.deepEqual(parseJournal(renderPoint(point(100_000)) + renderHole(hole) + renderEnd(100_000), 100_000).holes, [hole]);
  });

  it("has holes of one place or one time apart, none behind its end, and each run once", () => {
    const holes = [hole, { ...hole, after: "z" }, { ...hole, offset: 100_001 }];
    const behind = { ...hole, offset: 150_001 };
    const runs = [1, 2].map((attempt) => ({ offset: 140_000, attempt }));
    const begun: SpoolPoint = { offset: 150_000, lines: 2, attempt: 2, position: BEFORE_ALL };
    const written = [...holes, ...holes, behind].map(renderHole).join("") + [...runs, ...runs].map(renderAttempt).join("");
    const state = parseJournal(text + written + renderPoint(begun) + renderEnd(150_000), 150_000);
    assert.deepEqual([state.holes, state.attempts, state.points.at(-1)], [holes, runs, begun]);
    const within = { ...begun, position: { time: "t", count: 1, taken: 1, isWhole: true } };
    assert.deepEqual(
      parseJournal(renderHole({ ...hole, offset: 150_000 }) + renderPoint(within), 150_000).holes,
      [],
      "who goes on within a run finds it anew",
    );
    assert.deepEqual(parseJournal(renderHole(hole) + renderPoint({ ...point(100_000), position: BEFORE_ALL }), 150_000).holes, []);
  });

  it("has points that are some way apart, the newest always, and never too many of them", () => {
    const points: SpoolPoint[] = [];
    for (let offset = 0; offset <= 10_000; offset += 100) addPoint(points, point(offset));
    assert.deepEqual(
      points.map(({ offset }) => offset),
      [0, 10_000],
    );
    for (let offset = 100_000; offset <= 1_000_000_000; offset += 70_000) addPoint(points, point(offset));
    assert.equal(last(points), 100_000 + 70_000 * Math.floor((1_000_000_000 - 100_000) / 70_000));
    assert.ok(points.length > 1000 && points.length <= 4096, `${points.length}`);
    const gaps = points.slice(1).map(({ offset }, index) => offset - (points[index] as SpoolPoint).offset);
    assert.ok(points[0]?.offset === 0 && Math.max(...gaps) <= 40 * 70_000, `${Math.max(...gaps)}`);
    const count = points.length;
    for (let offset = 1_000_000_001; offset <= 1_000_000_100; offset += 1) addPoint(points, point(offset));
    assert.deepEqual([points.length <= count + 1, last(points)], [true, 1_000_000_100]);
    assert.ok(points.every(({ offset }, index) => index === 0 || offset > (points[index - 1] as SpoolPoint).offset));
  });
});
