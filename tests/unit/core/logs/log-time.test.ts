import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareTimes, NEEDS_MORE, prefixLength, secondBefore } from "../../../../src/core/logs/log-time.ts";

const UTC = "2026-11-28T01:12:10.123456789Z";
const OFFSET = "2026-11-28T02:12:10.123456789+01:00";
const bytes = (text: string) => Buffer.from(text);

describe("a timestamp of the kubelet's", () => {
  it("ends with its blank, in UTC and in the node's own zone, wherever it stands", () => {
    assert.equal(prefixLength(bytes(`${UTC} x`), 0), 31);
    assert.equal(prefixLength(bytes(`${UTC} `), 0), 31);
    assert.equal(prefixLength(bytes(`${OFFSET} x`), 0), 36);
    assert.equal(prefixLength(bytes(OFFSET.replace("+", "-").concat(" ")), 0), 36);
    assert.equal(prefixLength(bytes(`abc${UTC} x`), 3), 31);
  });

  it("may be cut anywhere", () => {
    for (const time of [UTC, OFFSET]) {
      for (let length = 0; length <= time.length; length += 1)
        assert.equal(prefixLength(bytes(time.slice(0, length)), 0), NEEDS_MORE, `${length}`);
    }
  });

  it("is none where a byte of its shape is another one, or where it has another fraction", () => {
    for (const index of [0, 4, 7, 10, 13, 16, 18, 19, 28, 30]) {
      const other = `${UTC} x`.split("");
      other[index] = "?";
      assert.equal(prefixLength(bytes(other.join("")), 0), 0, `${index}`);
    }
    for (const index of [29, 32, 34, 35]) {
      const other = `${OFFSET} x`.split("");
      other[index] = "?";
      assert.equal(prefixLength(bytes(other.join("")), 0), 0, `${index}`);
    }
    assert.equal(prefixLength(bytes("failed to watch directory: no space left on device"), 0), 0);
    assert.equal(prefixLength(bytes("2026-11-28T01:12:10.123Z x and so on, and so on"), 0), 0);
    assert.equal(prefixLength(bytes("fai"), 0), 0);
  });

  it("is compared to the nanosecond, also with those of another zone, and nothing is before all", () => {
    const later = UTC.replace("789Z", "790Z");
    assert.ok(compareTimes(UTC, later) < 0 && compareTimes(later, UTC) > 0);
    assert.equal(compareTimes(UTC, OFFSET), 0);
    assert.equal(compareTimes(UTC, UTC), 0);
    assert.ok(compareTimes(OFFSET, later) < 0 && compareTimes(later, OFFSET) > 0);
    assert.ok(compareTimes(OFFSET, UTC.replace("01:12", "01:13")) < 0);
    assert.ok(compareTimes("", UTC) < 0 && compareTimes(UTC, "") > 0);
    assert.equal(compareTimes("", ""), 0);
  });

  it("is in a stream from the second before it on, and so is what is a quarter of a second older", () => {
    assert.equal(secondBefore(UTC), "2026-11-28T01:12:09Z");
    assert.equal(secondBefore(OFFSET), "2026-11-28T01:12:09Z");
    assert.equal(secondBefore("2026-11-28T01:12:10.250000000Z"), "2026-11-28T01:12:10Z");
    assert.equal(secondBefore("2026-11-28T01:12:10.249999999Z"), "2026-11-28T01:12:09Z");
  });
});
