import assert from "node:assert/strict";
import { test } from "node:test";
import { makeConcurrencyLimit } from "../../../src/runtime/concurrency-limit.ts";

/** Work that ends when it is told to, and how far each has come. */
function makeWork(count: number) {
  const begun: number[] = [];
  const ends = Array.from({ length: count }, () => Promise.withResolvers<void>());
  const work = (index: number) => async () => {
    begun.push(index);
    await ends[index]?.promise;
    return index;
  };
  return { begun, ends, work };
}

/** Lets everything go on that waits for nothing but its turn. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("so much runs at once and no more, and who waits comes in the order of asking", async () => {
  const limit = makeConcurrencyLimit(2);
  const { begun, ends, work } = makeWork(4);
  const results = [0, 1, 2, 3].map((index) => limit.run(work(index)));
  await turn();
  assert.deepEqual(begun, [0, 1]);
  ends[1]?.resolve();
  await turn();
  assert.deepEqual(begun, [0, 1, 2]);
  for (const end of ends) end.resolve();
  assert.deepEqual(await Promise.all(results), [0, 1, 2, 3]);
  assert.deepEqual(begun, [0, 1, 2, 3]);
});

test("work that fails gives its place back, also when it throws at once", async () => {
  const limit = makeConcurrencyLimit(1);
  const failures = [
    limit.run(() => Promise.reject(new Error("later"))),
    limit.run(() => {
      throw new Error("at once");
    }),
  ];
  assert.deepEqual(
    (await Promise.allSettled(failures)).map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.equal(await limit.run(async () => "goes on"), "goes on");
});

test("whoever asks while a place is handed on does not get in between", async () => {
  const limit = makeConcurrencyLimit(1);
  const { begun, ends, work } = makeWork(3);
  const results = [limit.run(work(0)), limit.run(work(1))];
  ends[0]?.resolve();
  await results[0];
  results.push(limit.run(work(2)));
  await turn();
  assert.deepEqual(begun, [0, 1]);
  for (const end of ends) end.resolve();
  await Promise.all(results);
});

test("a long line leaves nothing behind", async () => {
  const limit = makeConcurrencyLimit(3);
  let most = 0;
  let running = 0;
  const work = async () => {
    most = Math.max(most, ++running);
    await turn();
    running -= 1;
  };
  await Promise.all(Array.from({ length: 5000 }, () => limit.run(work)));
  assert.deepEqual([most, running], [3, 0]);
});
