import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { layLogFile, logFile } from "../../../../src/core/logs/log-files.ts";

const LOG = { container: "test", size: 10, holes: [], cut: undefined, attempts: [], points: [] };

/** The file as it is written, of a log whose byte `i` is the digit `i`. */
function write(log: Parameters<typeof layLogFile>[0]): { text: string; entry: ReturnType<typeof layLogFile>["entry"] } {
  const { parts, entry } = layLogFile(log, "console.log", "f00");
  return { text: parts.map((part) => ("words" in part ? part.words : "0123456789".slice(part.from, part.to))).join(""), entry };
}

describe("a log's file", () => {
  test("that is whole is what was printed, and no more", () => {
    const { text, entry } = write(LOG);
    assert.deepEqual([text, entry.runs], ["0123456789", [{ offset: 0, at: 0, bytes: 10 }]]);
  });

  test("says where something is missing, and the record tells our words from the log's bytes", () => {
    const { text, entry } = write({ ...LOG, holes: [{ offset: 2, after: "a", before: "b" }], cut: { from: 5, to: 8 } });
    assert.match(
      text,
      /^01\n\[turbo-hipster f00: lines may be missing here, between a and b: [^\n]*\]\n234\n\[turbo-hipster f00: 3 bytes [^\n]*\]\n89$/,
    );
    // Whoever goes by the runs reads the log's own bytes.
    const read = entry.runs.map(({ at, bytes }) => text.slice(at, at + bytes));
    assert.deepEqual(
      [read, entry.runs.map(({ offset }) => offset)],
      [
        ["01", "234", "89"],
        [0, 2, 8],
      ],
    );
    assert.deepEqual([entry.bytes, entry.cut, entry.holes], [10, { from: 5, to: 8 }, [{ offset: 2, after: "a", before: "b" }]]);
  });

  test("has no words of what is missing within what is not kept, and has those of its beginning and end", () => {
    const inside = write({ ...LOG, holes: [{ offset: 6, after: "a", before: "b" }], cut: { from: 5, to: 8 } });
    assert.equal(inside.text.match(/turbo-hipster/g)?.length, 1);
    const ends = write({
      ...LOG,
      holes: [
        { offset: 0, after: "", before: "b" },
        { offset: 10, after: "c", before: undefined },
      ],
    });
    assert.match(
      ends.text,
      /^\[turbo-hipster f00: [^\n]*between the beginning and b[^\n]*\]\n0123456789\n\[turbo-hipster [^\n]*c and the end[^\n]*\]\n$/,
    );
  });

  test("is console.log for the test, and no other container's is", () => {
    assert.deepEqual([logFile("main", true), logFile("db", false)], ["console.log", "db.log"]);
    const others = ["console", "console-1", "build", "index"].map((name) => logFile(name, false));
    assert.equal(new Set([...others, "console.log", "build.json", "index.html", "artifacts.json"]).size, others.length + 4);
  });
});
