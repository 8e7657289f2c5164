import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { arrangeSegments, journalName, parseJournalName, parseSegmentName, segmentName } from "../../../../src/core/logs/spool-files.ts";

const file = (offset: number, writer: number, size: number) => ({ offset, writer, size });

describe("the files of a spool", () => {
  it("are called by offset and writer", () => {
    assert.equal(segmentName({ offset: 1234, writer: 5 }), "0000000000001234-5.log");
    assert.deepEqual(parseSegmentName("0000000000001234-5.log"), { offset: 1234, writer: 5 });
    assert.equal(journalName(12), "journal-12");
    assert.equal(parseJournalName("journal-12"), 12);
    for (const other of [
      "journal",
      "journal-12.new",
      "x-journal-1",
      "1234-5.log",
      "0000000000001234-5.log.gz",
      "x0000000000001234-5.log",
    ]) {
      assert.deepEqual([parseSegmentName(other), parseJournalName(other)], [undefined, undefined], other);
    }
  });

  it("are one log, in whatever order a directory lists them", () => {
    const files = [file(200, 1, 50), file(0, 1, 100), file(100, 1, 100)];
    assert.deepEqual(arrangeSegments(files), { kept: [file(0, 1, 100), file(100, 1, 100), file(200, 1, 50)], stale: [] });
    assert.deepEqual(arrangeSegments([]), { kept: [], stale: [] });
  });

  it("hold nothing of an earlier writer from where a later one has begun, whatever that one still writes", () => {
    const files = [file(0, 1, 100), file(100, 1, 100), file(200, 1, 100), file(150, 2, 30), file(300, 1, 10), file(180, 3, 5)];
    const { kept, stale } = arrangeSegments(files);
    assert.deepEqual(kept, [file(0, 1, 100), file(100, 1, 50), file(150, 2, 30), file(180, 3, 5)]);
    assert.deepEqual(new Set(stale.map(({ offset }) => offset)), new Set([200, 300]));
    assert.deepEqual(arrangeSegments([file(0, 1, 10), file(0, 2, 0)]), { kept: [file(0, 2, 0)], stale: [file(0, 1, 10)] });
  });

  it("leave a gap where the middle was thrown away", () => {
    assert.deepEqual(arrangeSegments([file(0, 1, 100), file(900, 1, 20)]).kept, [file(0, 1, 100), file(900, 1, 20)]);
  });
});
