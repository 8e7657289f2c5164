import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { formatDuration, isDuration, parseDurationMs } from "../../../../src/core/kubernetes/duration.ts";

test("a duration is the sum of its terms, as in Go", () => {
  assert.equal(parseDurationMs("90s"), 90_000);
  assert.equal(parseDurationMs("1h30m"), 5_400_000);
  assert.equal(parseDurationMs("1.5h"), 5_400_000);
  assert.equal(parseDurationMs("1m500ms"), 60_500);
  assert.equal(parseDurationMs("30m1h"), 5_400_000);
  assert.equal(parseDurationMs("0s"), 0);
  assert.equal(parseDurationMs("1s".repeat(10)), 10_000);
});

test("what is no duration is refused with an example of one", () => {
  for (const text of ["", "90", "1d", "-1s", "1 h", "h", "1h ", "1.h", ".5h", "1us", "9999999h", "1s1s1s1s1s1s1s1s1s1s1s"]) {
    assert.equal(isDuration(text), false, text);
    assert.throws(() => parseDurationMs(text), /write it as 90s/);
  }
});

test("durations are written in the largest units and read back as they were", () => {
  assert.equal(formatDuration(5_400_000), "1h30m");
  assert.equal(formatDuration(90_000), "1m30s");
  assert.equal(formatDuration(0), "0s");
  fc.assert(fc.property(fc.nat(10 ** 9), (durationMs) => parseDurationMs(formatDuration(durationMs)) === durationMs));
});
