import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FollowedLog } from "../../../../src/core/logs/followed-log.ts";
import type { LogHole } from "../../../../src/core/logs/log-position.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { entriesOf, type LogEntry, LogReader, printedBytes, renderLogTime } from "../../../support/logs/kubelet-log.ts";
import { makeRandom } from "../../../support/random.ts";

const START = 1_795_000_000_000_000_000n;

interface Taken {
  bytes: Buffer[];
  holes: { at: number; hole: LogHole }[];
}

function collect(taken: Taken, parts: readonly (Uint8Array | LogHole)[]): void {
  for (const part of parts) {
    if (part instanceof Uint8Array) taken.bytes.push(Buffer.from(part));
    else taken.holes.push({ at: Buffer.concat(taken.bytes).length, hole: part });
  }
}

/** Feeds `text` in pieces of `size`. */
function feed(log: FollowedLog, taken: Taken, text: Uint8Array, size: number): void {
  for (let at = 0; at < text.length && !log.isStreamUsedUp; at += size) collect(taken, log.take(Buffer.from(text.subarray(at, at + size))));
}

const stream = (entries: readonly LogEntry[], since?: string) => {
  const reader = new LogReader({ sinceTime: since, timestamps: true });
  return Buffer.concat(entries.map((entry) => reader.show(entry)));
};
const line = (text: string, ms: number, isPartial = false): LogEntry => ({
  ns: START + BigInt(Math.round(ms * 1e6)),
  content: Buffer.from(text, "latin1"),
  isPartial,
});
const textOf = (taken: Taken) => Buffer.concat(taken.bytes).toString("latin1");

describe("a followed log", () => {
  it("is what was printed, whatever bytes those are and however the stream comes in pieces", () => {
    const entries = [
      line("one", 0),
      line("", 1),
      line("cr\rover\r", 2),
      line("\xff\x00\x80", 3),
      line("x".repeat(PIECE), 4, true),
      line("end", 5),
    ];
    for (const size of [7, 30, 31, 32, 4096, 100_000]) {
      const log = new FollowedLog();
      const taken: Taken = { bytes: [], holes: [] };
      feed(log, taken, stream(entries), size);
      assert.equal(textOf(taken), `one\n\ncr\rover\r\n\xff\x00\x80\n${"x".repeat(PIECE)}end\n`, `pieces of ${size}`);
      assert.equal(log.lines, 5);
    }
  });

  it("begins again at the second of its last line, and takes nothing twice of lines that bear one timestamp", () => {
    const entries = [line("a", 1), line("b", 1), line("c", 1), line("d", 2)];
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream(entries.slice(0, 2)), 1000);
    assert.deepEqual(log.end("broken"), { kind: "open" });
    assert.equal(log.sinceTime, "2026-11-18T11:06:39Z", "a line may be older than the one before it");
    feed(log, taken, stream(entries, log.sinceTime), 1000);
    assert.equal(textOf(taken), "a\nb\nc\nd\n");
    assert.deepEqual(taken.holes, []);
  });

  it("has a hole at its beginning where it was opened late, and its first line is not of the container's first moments", () => {
    const startedMs = Number(START / 1_000_000n);
    const late = (lateMs: number, firstMs: number) => {
      const log = new FollowedLog(undefined, 0, () => ({ startedMs, lateMs }));
      const taken: Taken = { bytes: [], holes: [] };
      const entries = [line("first that is left", firstMs), line("next", firstMs + 5000)];
      feed(log, taken, stream(entries), 1000);
      log.end("clean");
      feed(log, taken, stream(entries, log.sinceTime), 1000);
      assert.equal(textOf(taken), "first that is left\nnext\n");
      return taken.holes;
    };
    assert.deepEqual(late(60_000, 30_000), [{ at: 0, hole: { after: "", before: renderLogTime(START + 30_000_000_000n) } }]);
    assert.deepEqual(late(3001, 2000).length, 1);
    assert.deepEqual(late(3000, 30_000), [], "it was opened with the container's start");
    assert.deepEqual(late(60_000, 1999), [], "it is the first line");
  });

  it("has a hole where nothing is left of one that was opened late, and none where it was not", () => {
    const end = (lateMs: number) => {
      const log = new FollowedLog(undefined, 0, () => ({ startedMs: 0, lateMs }));
      const step = log.end("clean");
      assert.ok(step.kind === "finished");
      return step.hole;
    };
    assert.deepEqual(end(60_000), { after: "", before: undefined });
    assert.equal(end(0), undefined);
  });

  it("takes a line that is older than the one before it, once", () => {
    const entries = [line("stdout", 5), line("stderr", 4), line("later", 6)];
    for (const cut of [1, 2, 3]) {
      const log = new FollowedLog();
      const taken: Taken = { bytes: [], holes: [] };
      feed(log, taken, stream(entries.slice(0, cut)), 1000);
      log.end("broken");
      feed(log, taken, stream(entries, log.sinceTime), 1000);
      assert.equal(textOf(taken), "stdout\nstderr\nlater\n");
    }
  });

  it("is over when a stream ends and its last lines are the last ones taken", () => {
    const entries = [line("a", 1), line("b", 2), line("b", 2)];
    const log = new FollowedLog();
    feed(log, { bytes: [], holes: [] }, stream(entries), 1000);
    assert.deepEqual(log.end("clean"), { kind: "confirm", tailLines: 3 });
    assert.equal(log.isConfirmedBy(stream(entries)), true);
    assert.equal(log.isConfirmedBy(stream(entries.slice(1))), true);
    assert.equal(log.isConfirmedBy(stream([...entries, line("b", 2)].slice(-3))), false, "one line more of that timestamp");
    assert.equal(log.isConfirmedBy(stream([...entries, line("c", 3)].slice(-3))), false);
    assert.equal(log.isConfirmedBy(Buffer.from("failed to open log file\n")), false);
    assert.equal(log.isConfirmedBy(Buffer.alloc(0)), false);
    assert.equal(log.isConfirmedBy(stream(entries).subarray(0, -1)), false, "a line without an end");
    assert.equal(log.isConfirmedBy(Buffer.concat([stream(entries), Buffer.from("2026")])), false);
  });

  it("has its last bytes only when two streams have ended with them: the kubelet's own words stand there as well", () => {
    const entries = [line("a", 1), line("half", 2, true)];
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, Buffer.concat([stream(entries), Buffer.from("context canceled\n")]).subarray(0, -1), 1000);
    assert.equal(log.end("clean").kind, "open");
    feed(log, taken, stream(entries, log.sinceTime), 1000);
    assert.equal(log.end("clean").kind, "open");
    feed(log, taken, stream(entries, log.sinceTime), 1000);
    const step = log.end("clean");
    assert.ok(step.kind === "finished");
    assert.equal(textOf(taken) + Buffer.from(step.rest).toString(), "a\nhalf");
  });

  it("takes what has no timestamp for the kubelet's words, not for the container's", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, Buffer.concat([stream([line("a", 1)]), Buffer.from("failed to watch directory: no space left on device")]), 9);
    const step = log.end("clean");
    assert.ok(step.kind === "failed");
    assert.match(step.words, /failed to watch directory: no space left/);
    assert.equal(textOf(taken), "a\n");
  });

  it("does not believe a test that prints timestamps of its own", () => {
    const forged = `${renderLogTime(START + 10n ** 12n)} forged`;
    const entries = [line(forged, 1), line(forged, 2), line("end", 3)];
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream(entries.slice(0, 2)), 5);
    log.end("broken");
    feed(log, taken, stream(entries, log.sinceTime), 5);
    assert.equal(textOf(taken), `${forged}\n${forged}\nend\n`);
  });

  it("goes on within a line where another stream of it broke", () => {
    const entries = [line("a", 1), line("x".repeat(PIECE), 2, true), line("y".repeat(PIECE), 3, true), line("z", 1500)];
    const whole = stream(entries);
    for (const cut of [50, 5000, 17_000, 30_000]) {
      const log = new FollowedLog();
      const taken: Taken = { bytes: [], holes: [] };
      feed(log, taken, whole.subarray(0, cut), 3000);
      log.end("broken");
      feed(log, taken, stream(entries, log.sinceTime), 3000);
      assert.equal(textOf(taken), `a\n${"x".repeat(PIECE)}${"y".repeat(PIECE)}z\n`, `cut at ${cut}`);
    }
  });

  it("has a hole where the line up to which it was taken is gone", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream([line("a", 1)]), 1000);
    log.end("broken");
    const rotated = [line("c", 3000), line("d", 9000)];
    feed(log, taken, stream(rotated, log.sinceTime), 1000);
    assert.equal(log.end("clean").kind, "open");
    feed(log, taken, stream(rotated, log.sinceTime), 1000);
    assert.equal(textOf(taken), "a\nc\nd\n");
    assert.deepEqual(taken.holes, [
      { at: 2, hole: { after: renderLogTime(START + 1_000_000n), before: renderLogTime(START + 3_000_000_000n) } },
    ]);
  });

  it("has none where the file that comes next begins, once the one before was read to its end", () => {
    for (const [how, nextMs, holes] of [
      ["clean", 3000, 0],
      ["silent", 501, 0],
      // Whether the connection was dead, or there was a pause, can't be told.
      ["silent", 502, 1],
      ["broken", 501, 1],
    ] as const) {
      const log = new FollowedLog();
      const taken: Taken = { bytes: [], holes: [] };
      feed(log, taken, stream([line("a", 1)]), 1000);
      log.rotation.noteHead(renderLogTime(START + BigInt(nextMs) * 1_000_000n), log.position);
      log.end(how);
      const rotated = [line("c", nextMs)];
      // That it can't be opened at once says something of what had ended by itself only.
      if (how === "silent") log.end("broken");
      feed(log, taken, stream(rotated, log.sinceTime), 1000);
      log.end("clean");
      feed(log, taken, stream(rotated, log.sinceTime), 1000);
      assert.equal(textOf(taken), "a\nc\n");
      assert.equal(taken.holes.length, holes, `${how}, ${nextMs} ms`);
    }
  });

  it("takes a kubelet that ends for no end of its file: what it had not read yet may be rotated away", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream([line("a", 1)]), 1000);
    log.end("clean");
    // It is not there to be read again.
    log.end("broken");
    log.rotation.noteHead(renderLogTime(START + 3_000_000_000n), log.position);
    const rotated = [line("c", 3000)];
    feed(log, taken, stream(rotated, log.sinceTime), 1000);
    log.end("clean");
    feed(log, taken, stream(rotated, log.sinceTime), 1000);
    assert.equal(taken.holes.length, 1);
  });

  it("does not go past a file that another stream still has", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream([line("a", 1)]), 1000);
    const [second, third] = [renderLogTime(START + 3_000_000_000n), renderLogTime(START + 6_000_000_000n)];
    log.rotation.noteHead(second, log.position);
    log.rotation.noteOpen(second);
    log.rotation.noteHead(third, log.position);
    feed(log, taken, stream([line("e", 6000)]), 1000);
    assert.equal(log.isStreamUsedUp, true);
    log.end("clean");
    assert.deepEqual([log.isLost, log.rotation.next], [true, second]);
    log.rotation.noteClosed(second);
    feed(log, taken, stream([line("c", 3000), line("e", 6000)]), 1000);
    assert.equal(textOf(taken), "a\nc\ne\n");
    assert.deepEqual(taken.holes, []);
  });

  const time = (ms: number) => renderLogTime(START + BigInt(ms) * 1_000_000n);

  it("has a line that a rotation has cut whole, be it read in one stream or in two", () => {
    const [before, after] = [
      [line("a", 1), line("first ha", 2, true)],
      [line("lf", 400), line("b", 401)],
    ];
    const one: Taken = { bytes: [], holes: [] };
    const inOne = new FollowedLog();
    feed(inOne, one, stream(before), 1000);
    inOne.rotation.noteHead(time(400), inOne.position);
    feed(inOne, one, stream([...before, ...after]).subarray(stream(before).length), 5);
    assert.equal(textOf(one), "a\nfirst half\nb\n");
    assert.equal(inOne.rotation.isWaiting, false);
    assert.equal(inOne.rotation.noteHead(time(400), inOne.position), undefined);
    assert.equal(inOne.rotation.noteHead(time(9000), inOne.position), undefined, "that file was made later");

    const two: Taken = { bytes: [], holes: [] };
    const inTwo = new FollowedLog();
    feed(inTwo, two, stream(before), 1000);
    inTwo.rotation.noteHead(time(400), inTwo.position);
    inTwo.end("silent");
    feed(inTwo, two, stream(after, inTwo.sinceTime), 5);
    inTwo.end("clean");
    feed(inTwo, two, stream(after, inTwo.sinceTime), 5);
    assert.equal(textOf(two), "a\nfirst half\nb\n");
    assert.deepEqual([one.holes, two.holes], [[], []]);
  });

  it("has a hole when a look tells that a stream went past a file within a line", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    const before = [line("a", 1), line("first ha", 2, true)];
    feed(log, taken, stream(before), 1000);
    log.rotation.noteHead(time(3000), log.position);
    // Of the third file, which nobody has looked at.
    feed(log, taken, stream([...before, line("lf of another", 6000), line("c", 6001)]).subarray(stream(before).length), 5);
    assert.deepEqual(log.rotation.noteHead(time(6000), log.position), { after: time(2), before: time(6001) });
  });

  it("has a hole where it goes back to a file after a line that is mixed of two", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    const before = [line("a", 1), line("first ha", 2, true)];
    feed(log, taken, stream(before), 1000);
    log.rotation.noteHead(time(3000), log.position);
    log.rotation.noteOpen(time(3000));
    log.rotation.noteHead(time(6000), log.position);
    feed(log, taken, stream([...before, line("lf of another", 6000), line("c", 6001)]).subarray(stream(before).length), 5);
    assert.equal(log.isStreamUsedUp, true);
    log.end("clean");
    feed(log, taken, stream([line("lf", 3000), line("b", 3001)]), 1000);
    assert.equal(taken.holes.length, 1);
    assert.equal(textOf(taken), "a\nfirst half of another\nlf\nb\n");
  });

  it("is lost only until something of the next file was taken", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream([line("a", 1)]), 1000);
    log.rotation.noteHead(time(3000), log.position);
    log.end("clean");
    const rotated = [line("c", 3000)];
    feed(log, taken, stream(rotated, log.sinceTime), 1000);
    assert.deepEqual(log.end("clean"), { kind: "open" });
    assert.deepEqual([log.isLost, log.isSearching], [true, false]);
    feed(log, taken, stream(rotated, log.sinceTime), 1000);
    log.end("broken");
    assert.deepEqual([log.isLost, log.isSearching], [false, true]);
    feed(log, taken, stream([...rotated, line("d", 3001)], log.sinceTime), 1000);
    assert.deepEqual([textOf(taken), taken.holes], ["a\nc\nd\n", []]);
  });

  it("has a hole where another file comes than the next one", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream([line("a", 1)]), 1000);
    log.rotation.noteHead(time(3000), log.position);
    log.end("clean");
    log.end("clean");
    const other = [line("e", 6000)];
    feed(log, taken, stream(other, log.sinceTime), 1000);
    log.end("clean");
    feed(log, taken, stream(other, log.sinceTime), 1000);
    assert.deepEqual(taken.holes, [{ at: 2, hole: { after: time(1), before: time(6000) } }]);
  });

  it("that was opened late has no hole at its end when it has lines, and but one when all there is has no end", () => {
    const startedMs = Number(START / 1_000_000n);
    const late = (entries: readonly LogEntry[]) => {
      const log = new FollowedLog(undefined, 0, () => ({ startedMs, lateMs: 60_000 }));
      const taken: Taken = { bytes: [], holes: [] };
      feed(log, taken, stream(entries), 1000);
      log.end("clean");
      feed(log, taken, stream(entries), 1000);
      const step = log.end("clean");
      const { hole } = step.kind === "finished" ? step : log.finish(undefined);
      return [taken.holes.length, hole];
    };
    assert.deepEqual(late([line("first", 1)]), [0, undefined]);
    assert.deepEqual(late([line("half", 1, true)]), [0, undefined]);
  });

  it("is not over for other last bytes of the same length, nor by silence, nor where its last lines are too many to be looked at", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream([line("a", 1), line("half", 2, true)]), 1000);
    log.end("clean");
    feed(log, taken, stream([line("a", 1), line("hulf", 2, true)], log.sinceTime), 1000);
    assert.deepEqual(log.end("clean"), { kind: "open" });
    feed(log, taken, stream([line("a", 1), line("hulf", 2, true)], log.sinceTime), 1000);
    assert.deepEqual(log.end("silent"), { kind: "open" });
    for (let round = 0; round < 9; round += 1) assert.equal(log.end("silent").kind, "failed");
    for (const [count, step] of [
      [99, { kind: "confirm", tailLines: 100 }],
      [100, { kind: "open" }],
    ] as const) {
      const many = new FollowedLog();
      feed(many, { bytes: [], holes: [] }, stream(Array.from({ length: count }, () => line("x", 1))), 1000);
      assert.deepEqual(many.end("clean"), step);
    }
  });

  it("is asked for again when there is nothing where there was something, and then ends with a hole unless it had been read to its end", () => {
    for (const [how, hole] of [
      ["clean", undefined],
      ["broken", { after: time(1), before: undefined }],
    ] as const) {
      const log = new FollowedLog();
      feed(log, { bytes: [], holes: [] }, stream([line("a", 1)]), 1000);
      assert.equal(log.isSearching, false);
      log.end(how);
      assert.equal(log.isSearching, true);
      for (let round = 1; round < 5; round += 1) assert.equal(log.end("clean").kind, "failed");
      const step = log.end("clean");
      assert.ok(step.kind === "finished");
      assert.deepEqual(step.hole, hole);
    }
  });

  it("is read on after a stream that broke before its last line came, or that nothing came of", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    const entries = [line("a", 1), line("b", 1200), line("c", 2400)];
    feed(log, taken, stream(entries.slice(0, 2)), 1000);
    log.end("broken");
    feed(log, taken, stream(entries.slice(0, 1)), 1000);
    assert.deepEqual(log.end("broken"), { kind: "open" });
    assert.equal(log.isLost, false);
    assert.equal(log.end("silent").kind, "failed");
    feed(log, taken, stream(entries, log.sinceTime), 1000);
    assert.equal(textOf(taken), "a\nb\nc\n");
    assert.equal(log.lines, 3);
    assert.deepEqual(taken.holes, []);
  });

  it("leaves out the rest of a line whose first piece is older than what was asked for", () => {
    const log = new FollowedLog({ time: time(5000), count: 1, taken: 2, isWhole: true }, 1);
    const taken: Taken = { bytes: [], holes: [] };
    // The first piece is 2 s older, and the line of the position is gone.
    const entries = [line("x".repeat(PIECE), 3000, true), line("rest", 4900), line("late", 9000)];
    feed(log, taken, stream(entries, log.sinceTime), 7);
    assert.equal(log.isStreamUsedUp, true);
    log.end("clean");
    feed(log, taken, stream(entries, log.sinceTime), 7);
    assert.equal(textOf(taken), "late\n");
    assert.equal(log.lines, 2);
    assert.deepEqual(taken.holes, [{ at: 0, hole: { after: time(5000), before: time(9000) } }]);
  });

  it("does not take another line of the same timestamp for its last one", () => {
    for (const other of ["longer than it was", "x"]) {
      const log = new FollowedLog();
      const taken: Taken = { bytes: [], holes: [] };
      feed(log, taken, stream([line("first", 1)]), 1000);
      log.end("broken");
      feed(log, taken, stream([line(other, 1)], log.sinceTime), 1000);
      assert.equal(log.end("clean").kind, "open");
      feed(log, taken, stream([line(other, 1)], log.sinceTime), 1000);
      assert.equal(textOf(taken), `first\n${other}\n`);
      assert.equal(taken.holes.length, 1);
    }
  });

  it("gives a stream up that holds nothing of a container's", () => {
    const log = new FollowedLog();
    assert.deepEqual(log.take(Buffer.from(`<html>${"x".repeat(3000)}`)), []);
    assert.equal(log.isStreamUsedUp, false);
    assert.deepEqual(log.take(Buffer.from("x".repeat(2000))), []);
    assert.equal(log.isStreamUsedUp, true);
    const step = log.end("clean");
    assert.ok(step.kind === "failed" && step.words.startsWith("<html>xxx") && step.words.length === 500);
  });

  it("has a hole at its end when a file is known that nothing came of", () => {
    const log = new FollowedLog();
    feed(log, { bytes: [], holes: [] }, stream([line("a", 1)]), 1000);
    log.rotation.noteHead(time(3000), log.position);
    assert.deepEqual(log.finish(undefined).hole, { after: time(1), before: undefined });
  });

  it("does not wait for a file that it is in already", () => {
    const log = new FollowedLog();
    feed(log, { bytes: [], holes: [] }, stream([line("a", 1), line("b", 2)]), 1000);
    log.rotation.noteHead(time(1), log.position);
    log.rotation.noteHead(time(2), log.position);
    assert.equal(log.rotation.isWaiting, false);
    assert.equal(log.finish(undefined).hole, undefined);
  });

  it("has a hole where a stream goes past a file without a word", () => {
    const log = new FollowedLog();
    const taken: Taken = { bytes: [], holes: [] };
    feed(log, taken, stream([line("a", 1)]), 1000);
    const [second, third] = [renderLogTime(START + 3_000_000_000n), renderLogTime(START + 6_000_000_000n)];
    log.rotation.noteHead(second, log.position);
    log.rotation.noteHead(third, log.position);
    feed(log, taken, stream([line("e", 6000)]), 1000);
    assert.deepEqual(taken.holes, [{ at: 2, hole: { after: renderLogTime(START + 1_000_000n), before: third } }]);
    assert.equal(log.rotation.isWaiting, false);
  });
});

const PIECE = 16 * 1024;

describe("any log, cut and rotated anywhere", () => {
  it("is byte for byte what was printed, or has a hole where bytes are missing, and nothing twice", (context) => {
    const { seed = 0, numRuns = 1 } = fuzzParameters(context, 300);
    for (let run = 0; run < numRuns; run += 1) {
      const random = makeRandom(seed + run);
      // Printed: lines of all lengths, some with one timestamp, some a bit older than the one before.
      const below = (n: number) => Math.floor(random() * n);
      let now = START;
      let wasLate = false;
      const tick = () => {
        now += BigInt(wasLate || below(5) > 0 ? 1 + (below(4) === 0 ? below(900_000_000) : below(2000)) : 0);
        wasLate = below(20) === 0;
        return wasLate ? now - 1500n : now;
      };
      // All pieces of a line come by one stream, which is stamped in order. Were its end older than its beginning, a kubelet might leave out
      // its newline.
      const tickOn = () => {
        now += BigInt(1 + below(2000));
        wasLate = false;
        return now;
      };
      const files: LogEntry[][] = [[]];
      const count = 5 + below(60);
      for (let index = 0; index < count; index += 1) {
        const isLong = below(15) === 0;
        const content = Buffer.from(`${index} ${"ab\r\0 ".repeat(isLong ? below(12_000) : below(20))}`);
        const isLast = index === count - 1 && below(2) === 0;
        let isFirst = true;
        const stamp = () => {
          const ns = isFirst ? tick() : tickOn();
          isFirst = false;
          return ns;
        };
        for (const entry of entriesOf(stamp, content, isLast)) (files.at(-1) as LogEntry[]).push(entry);
        if (below(12) > 0) continue;
        files.push([]);
        // A rotation between two lines of one length and one timestamp can't be told from none.
        wasLate = true;
      }
      const all = files.flat();
      const printed = printedBytes(all);

      const taken: Taken = { bytes: [], holes: [] };
      let log = new FollowedLog();
      let point = { position: log.position, lines: 0, bytes: 0, holes: 0 };
      let at = 0;
      for (let round = 0; ; round += 1) {
        assert.ok(round < 2000, "it does not end");
        // What there is: the file that was being written when this stream opens, and all that comes after it.
        const first = files.findIndex((_, index) => files.slice(0, index + 1).flat().length > at);
        const from = first === -1 ? files.length - 1 : first;
        const isWhole = round > 12 || below(4) === 0;
        const there = isWhole
          ? files.slice(from).flat()
          : files
              .slice(from)
              .flat()
              .slice(0, 1 + below(all.length));
        const bytes = stream(there, log.sinceTime);
        const shown = isWhole ? bytes : bytes.subarray(0, below(bytes.length + 1));
        feed(log, taken, shown, 1 + below(40_000));
        if (log.position.isWhole) {
          point = { position: log.position, lines: log.lines, bytes: Buffer.concat(taken.bytes).length, holes: taken.holes.length };
        }
        const step = log.end(isWhole ? "clean" : "broken");
        if (step.kind === "finished") {
          taken.bytes.push(Buffer.from(step.rest));
          break;
        }
        if (step.kind === "confirm" && log.isConfirmedBy(stream(all.slice(-step.tailLines)))) break;
        // Rotations go on until all was printed.
        if (point.bytes > 0 && below(3) === 0) at = Math.min(all.length - 1, at + below(all.length));
        if (below(4) === 0) {
          // The process is killed; the next one has what the last point says.
          log = new FollowedLog(point.position, point.lines);
          taken.bytes = [Buffer.concat(taken.bytes).subarray(0, point.bytes)];
          taken.holes.length = point.holes;
          // Whoever has nothing yet can't tell that there was more.
          if (point.bytes === 0) at = 0;
        }
      }
      checkAgainst(printed, Buffer.concat(taken.bytes), taken.holes, `TH_FUZZ_SEED=${seed + run}`);
    }
  });
});

/** Between holes everything stands as it was printed, in order; without holes it is all. */
function checkAgainst(printed: Buffer, got: Buffer, holes: Taken["holes"], again: string): void {
  if (holes.length === 0) {
    const differs = printed.findIndex((byte, index) => byte !== got[index]);
    const at = differs === -1 ? printed.length : differs;
    const around = (bytes: Buffer) => bytes.toString("latin1", Math.max(0, at - 30), at + 30);
    assert.ok(
      got.equals(printed),
      `${again}: ${got.length} of ${printed.length} bytes, other at ${at}: ${JSON.stringify([around(got), around(printed)])}`,
    );
    return;
  }
  let from = 0;
  let searched = 0;
  for (const end of [...holes.map(({ at }) => at), got.length]) {
    const piece = got.subarray(from, end);
    const found = printed.indexOf(piece, searched);
    assert.notEqual(found, -1, `${again}: not printed so: ${piece.subarray(0, 60).toString("latin1")}`);
    searched = found;
    from = end;
  }
}
