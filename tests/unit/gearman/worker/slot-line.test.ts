import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AssignedSlot } from "../../../../src/core/zuul/assignment.ts";
import { SlotLine } from "../../../../src/gearman/worker/slot-line.ts";

/** A line, slots that are counted, and what became of those who wait in it. */
function setUp(names: string) {
  const line = new SlotLine();
  const turns: string[] = [];
  const places = new Map<string, AssignedSlot>();
  const mayNot = new Set<string>();
  const world = { free: 0, onTurn: (_name: string): void => undefined };
  const slot = () => ({
    release() {
      world.free += 1;
    },
  });
  const reserve = () => {
    if (world.free === 0) return undefined;
    world.free -= 1;
    return slot();
  };
  for (const name of names) {
    const place = line.join();
    places.set(name, place);
    place.onTurn?.(
      () => {
        turns.push(name);
        world.onTurn(name);
      },
      () => !mayNot.has(name),
    );
  }
  const serve = (free: number) => {
    world.free += free;
    line.serve(reserve);
    return turns.join("");
  };
  return { line, places, mayNot, world, serve, turns };
}

describe("a line for slots", () => {
  test("gives out what there is, first come, first served", () => {
    const { serve, world } = setUp("abc");
    assert.deepEqual([serve(0), serve(2), serve(0), serve(2)], ["", "ab", "ab", "abc"]);
    assert.equal(world.free, 1, "what nobody takes is not reserved");
  });

  test("passes over whoever may not begin, without a slot, and serves them first when they may", () => {
    const { line, serve, mayNot, world } = setUp("abcd");
    mayNot.add("a").add("b");
    assert.equal(serve(1), "c");
    mayNot.add("d");
    assert.equal(line.isDue, false);
    assert.deepEqual([serve(1), world.free], ["c", 1]);
    mayNot.clear();
    assert.equal(line.isDue, true);
    assert.equal(serve(0), "ca");
  });

  test("asks each of them anew: who begins may be what keeps the next one", () => {
    const { serve, mayNot, world } = setUp("abc");
    world.onTurn = () => void mayNot.add("b");
    assert.equal(serve(3), "ac");
  });

  test("may be served again by what a slot sets off", () => {
    const { serve, world } = setUp("abc");
    world.onTurn = () => void serve(1);
    assert.equal(serve(1), "abc");
  });

  test("holds as many as it may, and forgets who leaves and who cannot be answered any more", () => {
    const { line, places, serve, world } = setUp("ab");
    places.get("a")?.release();
    places.get("a")?.release();
    assert.deepEqual([serve(1), world.free], ["b", 0]);
    places.get("b")?.release();
    assert.equal(world.free, 1, "a slot that was taken goes back");
    for (let count = 0; count < 500; count += 1) {
      assert.equal(line.isFull, false);
      line.join();
    }
    assert.equal(line.isFull, true);
    line.clear();
    assert.deepEqual([line.isFull, line.isDue], [false, false]);
  });
});
