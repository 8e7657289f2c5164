import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ByteScan } from "../../../../src/core/checks/byte-scan.ts";
import { LiteralSearch } from "../../../../src/core/checks/literal-search.ts";

const MAX_BYTES = 200;

describe("several texts", () => {
  const byte = fc.constantFrom(0x61, 0x62, 0x20, 0x0a, 0xe1, 0xff, 0x00);
  const bytes = (minLength: number, maxLength: number) => fc.array(byte, { minLength, maxLength }).map((list) => Uint8Array.from(list));

  test("are found wherever they are, each as often as it is there, and not in what was looked at before", () => {
    fc.assert(
      fc.property(
        fc.array(bytes(3, 6), { minLength: 1, maxLength: 20 }),
        fc.array(bytes(0, MAX_BYTES), { maxLength: 3 }),
        (literals, texts) => {
          const scan = new ByteScan(MAX_BYTES);
          const search = new LiteralSearch(literals, scan);
          for (const text of texts) {
            scan.load(text);
            const counts = literals.map(() => 0);
            search.scan(text, (literal) => {
              counts[literal] = (counts[literal] as number) + 1;
            });
            assert.deepEqual(
              counts,
              literals.map((literal) => placesOf(text, literal)),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test("are told with places within them, which go up", () => {
    const text = Buffer.from("one, two, one and two");
    const scan = new ByteScan(MAX_BYTES);
    const search = new LiteralSearch([Buffer.from("two"), Buffer.from("one")], scan);
    scan.load(text);
    const found: [number, number][] = [];
    search.scan(text, (literal, at) => found.push([literal, at]));
    assert.deepEqual(found, [
      [1, 0],
      [0, 5],
      [1, 10],
      [0, 18],
    ]);
  });
});

function placesOf(text: Uint8Array, literal: Uint8Array): number {
  const whole = Buffer.from(text);
  let count = 0;
  for (let at = whole.indexOf(literal); at >= 0; at = whole.indexOf(literal, at + 1)) count += 1;
  return count;
}

test("newlines are counted as they are, wherever the bytes begin and end", () => {
  const scan = new ByteScan(MAX_BYTES);
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(10, 0, 0x0b, 0x8a, 0xff, 0x01, 0x09), { maxLength: MAX_BYTES }),
      fc.nat(MAX_BYTES),
      fc.nat(MAX_BYTES),
      (list, from, to) => {
        scan.load(Uint8Array.from(list));
        const [start, end] = [Math.min(from, to, list.length), Math.min(Math.max(from, to), list.length)];
        assert.equal(scan.countNewlines(start, end), list.slice(start, end).filter((byte) => byte === 10).length);
      },
    ),
  );
});

test("newlines alone, more than a byte counts", () => {
  const scan = new ByteScan(2 ** 16);
  scan.load(new Uint8Array(2 ** 16).fill(10));
  assert.equal(scan.countNewlines(0, 2 ** 16), 2 ** 16);
  assert.equal(scan.countNewlines(1, 2 ** 16 - 1), 2 ** 16 - 2);
});
