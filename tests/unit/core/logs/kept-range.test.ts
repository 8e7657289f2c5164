import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { segmentBytesFor, segmentToDrop } from "../../../../src/core/logs/kept-range.ts";

describe("what is kept of a long log", () => {
  it("is a half at its head and a half at its tail, beside what is being written", () => {
    assert.equal(segmentBytesFor(1600), 100);
    assert.equal(segmentBytesFor(3), 1);
    let kept: number[] = [];
    for (let segment = 0; segment < 100; segment += 1) {
      const dropped = segmentToDrop(kept.length);
      kept = kept.filter((_, index) => index !== dropped);
      kept.push(segment);
    }
    assert.deepEqual(kept, [0, 1, 2, 3, 4, 5, 6, 7, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
  });
});
