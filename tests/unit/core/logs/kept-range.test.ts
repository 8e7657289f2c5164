import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { segmentBytesFor, segmentToDrop } from "../../../../src/core/logs/kept-range.ts";

/** The offsets of what is left of so many bytes, where each segment is as long as `length` says. */
function write(bytes: number, limit: number, length: (segment: number) => number): { offset: number; size: number }[] {
  const kept: { offset: number; size: number }[] = [];
  for (let [offset, segment] = [0, 0]; offset < bytes; segment += 1) {
    for (;;) {
      const dropped = segmentToDrop(kept, limit);
      if (dropped === undefined) break;
      kept.splice(dropped, 1);
    }
    const size = Math.min(length(segment), bytes - offset);
    kept.push({ offset, size });
    offset += size;
  }
  return kept;
}

describe("what is kept of a long log", () => {
  it("is a half at its head and a half at its tail, beside what is being written", () => {
    assert.equal(segmentBytesFor(1600), 100);
    assert.equal(segmentBytesFor(3), 1);
    assert.deepEqual(
      write(10_000, 1600, () => 100).map(({ offset }) => offset / 100),
      [0, 1, 2, 3, 4, 5, 6, 7, 91, 92, 93, 94, 95, 96, 97, 98, 99],
    );
  });

  it("is no less where writers have left segments short, however many", () => {
    const kept = write(10_000, 1600, (segment) => 1 + ((segment * 37) % 100));
    const head = kept.filter(({ offset }) => offset < 800).reduce((total, { size }) => total + size, 0);
    const tail = kept.filter(({ offset }) => offset >= 800).reduce((total, { size }) => total + size, 0);
    assert.ok(head >= 800 && head < 900, `${head}`);
    assert.ok(tail >= 800 && tail <= 1000, `${tail}`);
  });

  it("is all of what is no longer than that", () => {
    assert.equal(write(1700, 1600, () => 100).length, 17);
    assert.equal(write(1701, 1600, () => 100).length, 17);
  });
});
