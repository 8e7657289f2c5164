import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { splitLines } from "../../../../src/kube/client/watch-lines.ts";

async function* chunksOf(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let start = 0;
  for (const cut of [...new Set(cuts.map((each) => each % (bytes.length + 1)))].toSorted((a, b) => a - b)) {
    yield bytes.subarray(start, cut);
    start = cut;
  }
  yield bytes.subarray(start);
}

it("the lines are the same however the bytes were cut, in the middle of a character too", async () => {
  const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", ""));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, cuts) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(""));
      assert.deepEqual(await Array.fromAsync(splitLines(chunksOf(bytes, cuts))), lines);
    }),
  );
});

it("a line above the limit throws, finished or not, and one at the limit passes", async () => {
  const read = (text: string) => Array.fromAsync(splitLines(chunksOf(Buffer.from(text), [1, 2, 3]), 4));
  assert.deepEqual(await read("abcd\nefgh\n"), ["abcd", "efgh"]);
  await assert.rejects(read("abcde\n"), { code: "TH_KUBE_PROTOCOL" });
  await assert.rejects(read("abcde"), { code: "TH_KUBE_PROTOCOL" });
});

it("an end in the middle of a line throws after the whole lines", async () => {
  const seen: string[] = [];
  const reading = (async () => {
    for await (const line of splitLines(chunksOf(Buffer.from("one\ntw"), []))) seen.push(line);
  })();
  await assert.rejects(reading, { code: "TH_KUBE_PROTOCOL", retryable: true });
  assert.deepEqual(seen, ["one"]);
});
