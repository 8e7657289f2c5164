import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import type { Slot, SlotPool } from "../../../../src/runtime/slot.ts";

/** Someone who wants one more slot every time it is asked, as a lane with waiting builds does. */
function makeHungryWaiter(name: string, pool: SlotPool, taken: string[]): { slots: Slot[]; leave: () => void } {
  const slots: Slot[] = [];
  const leave = pool.onFree(() => {
    const slot = pool.tryReserve();
    if (slot === undefined) return;
    slots.push(slot);
    taken.push(name);
  });
  return { slots, leave };
}

describe("SlotPool", () => {
  test("hands out exactly its capacity, and again what was released", () => {
    const pool = makeSlotPool({ capacity: 2 });
    const first = pool.tryReserve();
    assert.ok(first);
    assert.ok(pool.tryReserve());
    assert.equal(pool.tryReserve(), undefined);
    first.release();
    assert.equal(pool.used, 1);
    assert.ok(pool.tryReserve());
    assert.equal(pool.used, 2);
  });

  test("counts a slot that is released twice once", () => {
    const pool = makeSlotPool({ capacity: 2 });
    const slot = pool.tryReserve();
    pool.tryReserve();
    slot?.release();
    slot?.release();
    assert.equal(pool.used, 1);
  });

  test("takes no slot away when lowered, and hands out none until enough are released", () => {
    const pool = makeSlotPool({ capacity: 3 });
    const slots = [pool.tryReserve(), pool.tryReserve(), pool.tryReserve()];
    pool.setCapacity(1);
    assert.equal(pool.used, 3);
    slots[0]?.release();
    slots[1]?.release();
    assert.equal(pool.tryReserve(), undefined);
    slots[2]?.release();
    assert.ok(pool.tryReserve());
  });

  test("wakes waiters when raised, resumed or when a slot is released, and not otherwise", () => {
    const pool = makeSlotPool({ capacity: 0 });
    const taken: string[] = [];
    const { slots } = makeHungryWaiter("a", pool, taken);
    pool.setPaused(true);
    pool.setCapacity(1);
    assert.deepEqual(taken, []);
    pool.setPaused(false);
    assert.deepEqual(taken, ["a"]);
    pool.setPaused(true);
    slots[0]?.release();
    assert.deepEqual(taken, ["a"]);
    pool.setPaused(false);
    assert.deepEqual(taken, ["a", "a"]);
    pool.setCapacity(2);
    assert.deepEqual(taken, ["a", "a", "a"]);
  });

  test("serves waiters in turn", () => {
    const pool = makeSlotPool({ capacity: 1 });
    let slot = pool.tryReserve();
    const taken: string[] = [];
    for (const name of ["a", "b", "c"]) {
      pool.onFree(() => {
        slot = pool.tryReserve();
        if (slot) taken.push(name);
      });
    }
    for (let build = 0; build < 6; build += 1) slot?.release();
    assert.deepEqual(taken, ["a", "b", "c", "a", "b", "c"]);
  });

  test("passes over a waiter that wants nothing, without losing its turn", () => {
    const pool = makeSlotPool({ capacity: 1 });
    let slot = pool.tryReserve();
    const taken: string[] = [];
    const hungry = new Set(["b", "c"]);
    for (const name of ["a", "b", "c"]) {
      pool.onFree(() => {
        if (!hungry.has(name)) return;
        slot = pool.tryReserve();
        taken.push(name);
      });
    }
    slot?.release();
    hungry.add("a");
    for (let build = 0; build < 3; build += 1) slot?.release();
    assert.deepEqual(taken, ["b", "a", "c", "b"]);
  });

  test("does not call who has left", () => {
    const pool = makeSlotPool({ capacity: 1 });
    const slot = pool.tryReserve();
    const taken: string[] = [];
    makeHungryWaiter("a", pool, taken).leave();
    makeHungryWaiter("b", pool, taken);
    slot?.release();
    assert.deepEqual(taken, ["b"]);
  });

  test("goes on when a listener releases a slot of another build", () => {
    const pool = makeSlotPool({ capacity: 2 });
    const [first, second] = [pool.tryReserve(), pool.tryReserve()];
    const taken: string[] = [];
    pool.onFree(() => second?.release());
    makeHungryWaiter("a", pool, taken);
    first?.release();
    assert.deepEqual(taken, ["a", "a"]);
    assert.equal(pool.used, 2);
  });

  describe("with a parent", () => {
    test("reserves in both or in none", () => {
      const parent = makeSlotPool({ capacity: 3 });
      const one = makeSlotPool({ capacity: 2, parent });
      const other = makeSlotPool({ capacity: 2, parent });
      const slot = one.tryReserve();
      assert.ok(one.tryReserve());
      assert.equal(one.tryReserve(), undefined);
      assert.equal(parent.used, 2);
      assert.ok(other.tryReserve());
      assert.equal(other.tryReserve(), undefined);
      assert.deepEqual([one.used, other.used, parent.used], [2, 1, 3]);
      slot?.release();
      assert.ok(other.tryReserve());
      assert.deepEqual([one.used, other.used, parent.used], [1, 2, 3]);
    });

    test("gives the parent's freed slots to its pools in turn, and within a pool in turn", () => {
      const parent = makeSlotPool({ capacity: 1 });
      const pools = { x: makeSlotPool({ capacity: 1, parent }), y: makeSlotPool({ capacity: 1, parent }) };
      let slot = pools.x.tryReserve();
      const taken: string[] = [];
      for (const [name, pool] of [
        ["x1", pools.x],
        ["x2", pools.x],
        ["y1", pools.y],
      ] as const) {
        pool.onFree(() => {
          const next = pool.tryReserve();
          if (next === undefined) return;
          slot = next;
          taken.push(name);
        });
      }
      for (let build = 0; build < 8; build += 1) slot?.release();
      assert.deepEqual(taken, ["x1", "y1", "x2", "y1", "x1", "y1", "x2", "y1"]);
    });

    test("wakes a pool's waiters when the parent is raised or resumed", () => {
      const parent = makeSlotPool({ capacity: 0 });
      const pool = makeSlotPool({ capacity: 5, parent });
      const taken: string[] = [];
      makeHungryWaiter("a", pool, taken);
      parent.setCapacity(1);
      assert.deepEqual(taken, ["a"]);
      parent.setPaused(true);
      parent.setCapacity(2);
      parent.setPaused(false);
      assert.deepEqual(taken, ["a", "a"]);
    });

    test("is forgotten by the parent when nobody waits any more", () => {
      const calls: string[] = [];
      const counting = makeSlotPool({ capacity: 1 });
      let subscribed = 0;
      const parent: SlotPool = {
        capacity: 1,
        used: 0,
        hasRoom: true,
        tryReserve: () => counting.tryReserve(),
        occupy: () => counting.occupy(),
        occupyHere: () => counting.occupyHere(),
        holds: (slot) => counting.holds(slot),
        setCapacity: () => undefined,
        setPaused: () => undefined,
        onFree: (listener) => {
          subscribed += 1;
          const leave = counting.onFree(listener);
          return () => {
            subscribed -= 1;
            leave();
          };
        },
      };
      const pool = makeSlotPool({ capacity: 1, parent });
      const leaves = ["a", "b"].map((name) => makeHungryWaiter(name, pool, calls).leave);
      assert.equal(subscribed, 1);
      for (const leave of leaves) leave();
      assert.equal(subscribed, 0);
    });
  });

  test("never exceeds a capacity, never loses a slot and never leaves a hungry waiter beside a free one", () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant("release" as const), index: fc.nat(30) }),
      fc.record({ kind: fc.constant("capacity" as const), pool: fc.nat(2), capacity: fc.nat(4) }),
      fc.record({ kind: fc.constant("pause" as const), pool: fc.nat(2), isPaused: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const parent = makeSlotPool({ capacity: 3 });
        const pools = [parent, makeSlotPool({ capacity: 2, parent }), makeSlotPool({ capacity: 2, parent })] as const;
        const limits = [3, 2, 2];
        const held: { pool: number; slot: Slot }[] = [];
        const takeAll = (index: 1 | 2): void => {
          for (let slot = pools[index].tryReserve(); slot !== undefined; slot = pools[index].tryReserve()) {
            assert.ok(pools[index].used <= (limits[index] ?? 0) && parent.used <= (limits[0] ?? 0));
            held.push({ pool: index, slot });
          }
        };
        for (const index of [1, 2] as const) pools[index].onFree(() => takeAll(index));
        takeAll(1);
        takeAll(2);
        for (const step of commands) {
          if (step.kind === "release") {
            const [released] = held.splice(step.index % Math.max(1, held.length), 1);
            released?.slot.release();
          } else if (step.kind === "capacity") {
            limits[step.pool] = step.capacity;
            pools[step.pool]?.setCapacity(step.capacity);
          } else {
            pools[step.pool]?.setPaused(step.isPaused);
          }
          assert.equal(parent.used, held.length);
          for (const index of [1, 2] as const) {
            assert.equal(pools[index].used, held.filter(({ pool }) => pool === index).length);
            assert.equal(pools[index].tryReserve(), undefined, "a hungry waiter was left beside a free slot");
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  test("counts a build that runs already beyond the capacity, here and in the parent", () => {
    const parent = makeSlotPool({ capacity: 2 });
    const pool = makeSlotPool({ capacity: 1, parent });
    const slots = [pool.occupy(), pool.occupy(), pool.occupy()];
    assert.deepEqual([pool.used, parent.used], [3, 3]);
    for (const slot of slots.slice(0, 2)) slot.release();
    assert.equal(pool.tryReserve(), undefined);
    assert.notEqual(parent.tryReserve(), undefined);
    slots[2]?.release();
    assert.notEqual(pool.tryReserve(), undefined);
  });
});
