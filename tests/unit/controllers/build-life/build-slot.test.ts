import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BuildSlot } from "../../../../src/controllers/build-life/build-slot.ts";
import type { AssignedSlot } from "../../../../src/core/zuul/assignment.ts";
import type { Slot } from "../../../../src/runtime/slot.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

function setUp() {
  const told: string[] = [];
  const world = { mayBegin: true };
  const slot = new BuildSlot({
    tasks: {
      count(taskKey, counted) {
        told.push(`counts for ${taskKey}`);
        return { release: () => counted.release() };
      },
      mayBegin: () => world.mayBegin,
    },
    taskKey: "ci/unit",
    logger: () => silentLogger,
    onBegin: () => told.push("begins"),
  });
  const free = (name: string): Slot => ({ release: () => told.push(`frees ${name}`) });
  const waiting = (name: string) => {
    let turn: { take(slot: Slot): void; mayBegin(): boolean } | undefined;
    const place: AssignedSlot = {
      release: () => told.push(`leaves ${name}`),
      onTurn: (take, mayBegin) => {
        turn = { take, mayBegin };
      },
    };
    return { place, turn: () => turn ?? assert.fail("nobody waits") };
  };
  const takeTold = () => told.splice(0);
  return { slot, world, free, waiting, takeTold };
}

describe("the slot of a build", () => {
  test("comes with its request, counts for its task, and goes back once", () => {
    const { slot, free, takeTold } = setUp();
    slot.take(free("a"));
    assert.deepEqual([slot.isAwaited, takeTold()], [false, ["counts for ci/unit", "begins"]]);
    slot.release();
    slot.release();
    assert.deepEqual(takeTold(), ["frees a"]);
  });

  test("is counted already where the build was found", () => {
    const { slot, free, takeTold } = setUp();
    slot.hold(free("a"));
    slot.release();
    assert.deepEqual(takeTold(), ["begins", "frees a"]);
  });

  test("is the first one: what another request brings goes back at once, and so does all after the build's end", () => {
    const { slot, free, waiting, takeTold } = setUp();
    slot.take(free("a"));
    takeTold();
    slot.take(free("b"));
    slot.take(waiting("c").place);
    assert.deepEqual(takeTold(), ["frees b", "leaves c"]);
    slot.release();
    slot.take(free("d"));
    assert.deepEqual([slot.isAwaited, takeTold()], [false, ["frees a", "frees d"]]);
  });

  test("is awaited in a line, by what its task says then, and begins when the turn comes", () => {
    const { slot, world, free, waiting, takeTold } = setUp();
    const { place, turn } = waiting("a");
    slot.take(place);
    assert.deepEqual([slot.isAwaited, takeTold()], [true, []]);
    assert.equal(turn().mayBegin(), true);
    world.mayBegin = false;
    assert.equal(turn().mayBegin(), false);
    turn().take(free("a"));
    assert.deepEqual([slot.isAwaited, takeTold()], [false, ["counts for ci/unit", "begins"]]);
    slot.release();
    assert.deepEqual(takeTold(), ["frees a"]);
  });

  test("is no longer awaited in one line when another request brings another place, or a slot", () => {
    const { slot, free, waiting, takeTold } = setUp();
    slot.take(waiting("a").place);
    slot.take(waiting("b").place);
    assert.deepEqual([slot.isAwaited, takeTold()], [true, ["leaves a"]]);
    slot.take(free("c"));
    assert.deepEqual([slot.isAwaited, takeTold()], [false, ["leaves b", "counts for ci/unit", "begins"]]);
  });

  test("is awaited no more when the build ends before its turn", () => {
    const { slot, waiting, takeTold } = setUp();
    slot.take(waiting("a").place);
    slot.release();
    assert.deepEqual([slot.isAwaited, takeTold()], [false, ["leaves a"]]);
  });
});
