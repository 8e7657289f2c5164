import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BEFORE_ALL } from "../../../../src/core/logs/log-position.ts";
import { RotationWatch } from "../../../../src/core/logs/rotation-watch.ts";

const time = (second: number) => `2026-11-28T01:02:${String(second % 60).padStart(2, "0")}.${String(second).padStart(9, "0")}Z`;
const at = (second: number) => ({ time: time(second), count: 1, taken: 5, isWhole: true });

describe("the files of a rotated log", () => {
  it("come in their order, and one that a stream is open of is not to be gone past", () => {
    const watch = new RotationWatch();
    assert.equal(watch.isWaiting, false);
    watch.noteHead(time(10), at(5));
    watch.noteHead(time(20), at(5));
    assert.deepEqual([watch.isWaiting, watch.next, watch.isExpected(time(20)), watch.isExpected(time(15))], [true, time(10), true, false]);
    assert.equal(watch.isTooFar(time(20)), false, "nothing can be had of the one before");
    watch.noteOpen(time(10));
    assert.deepEqual([watch.isTooFar(time(20)), watch.isTooFar(time(19))], [true, false]);
    watch.noteClosed(time(10));
    assert.equal(watch.isTooFar(time(20)), false);
    assert.equal(watch.passes(at(5), time(10)), undefined);
    assert.deepEqual([watch.next, watch.passes(at(11), time(12))], [time(20), undefined]);
    assert.deepEqual(watch.atEnd(at(12)), { after: time(12), before: undefined });
  });

  it("are known as the first and the newest, however many there are", () => {
    const watch = new RotationWatch();
    for (let second = 1; second < 60; second += 1) watch.noteHead(time(second), BEFORE_ALL);
    for (let minute = 3; minute < 10; minute += 1) watch.noteHead(`2026-11-28T01:0${minute}:00.000000000Z`, BEFORE_ALL);
    const known = Array.from({ length: 59 }, (_, index) => time(index + 1)).filter((head) => watch.isExpected(head));
    assert.deepEqual(
      [watch.next, known.length, known.includes(time(2)), watch.isExpected("2026-11-28T01:09:00.000000000Z")],
      [time(1), 57, false, true],
    );
  });

  it("leave a doubt where a stream went on within a line, which the next look settles, whatever it finds", () => {
    const doubtful = () => {
      const watch = new RotationWatch();
      watch.noteHead(time(10), at(5));
      assert.equal(watch.passes(at(5), time(12)), undefined);
      return watch;
    };
    assert.equal(doubtful().noteHead(time(10), at(12)), undefined, "it was that one");
    assert.equal(doubtful().noteHead(time(13), at(12)), undefined, "another was made later");
    assert.deepEqual(doubtful().noteHead(time(12), at(12)), { after: time(5), before: time(12) });
    const watch = doubtful();
    watch.noteHead(time(10), at(12));
    assert.equal(watch.noteHead(time(11), at(12)), undefined, "once");
    const passed = new RotationWatch();
    passed.noteHead(time(10), at(5));
    passed.noteHead(time(20), at(5));
    assert.deepEqual(passed.passes(at(5), time(21)), { after: time(5), before: time(21) });
    assert.equal(passed.noteHead(time(20), at(21)), undefined, "there is a hole already");
  });
});
