import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Placement } from "../../../../src/controllers/build-life/placement.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeJob, makePod, observe, UNSCHEDULED } from "../../../support/objects/build-objects.ts";

/** A pod that no node takes, and what the scheduler says of it. */
function unscheduled(message?: string) {
  const conditions = message === undefined ? [] : [{ type: "PodScheduled", status: "False" as const, reason: "Unschedulable", message }];
  return observe(makeJob(), [makePod({ ...UNSCHEDULED, status: { ...UNSCHEDULED.status, conditions } })]);
}
/** It has a node, whose kubelet has not taken it yet. */
const BOUND = observe(makeJob(), [makePod({ status: { phase: "Pending", startTime: undefined as never, containerStatuses: [] } })]);
const TAKEN = observe(makeJob(), [makePod()]);
const QUEUED = observe(makeJob(), []);
/** The Job is over, and no pod of it was seen. */
const GONE = observe(makeJob({ metadata: { deletionTimestamp: "2026-11-01T00:00:00Z" } }), []);

function setUp() {
  const clock = makeManualClock();
  const told: unknown[] = [];
  const placement = new Placement({
    tallies: {
      noteBegin: (task) => void told.push(`begin ${task}`),
      notePlaced: (task) => void told.push(`placed ${task}`),
      noteWait: (task, number, wait) => void told.push(`wait ${task} ${number} ${wait ? `${wait.words} ${wait.sinceMs}` : "over"}`),
    },
    ...{ taskKey: "ci/unit", number: "unit-1", clock },
  });
  return { clock, placement, told };
}

describe("the place of a build", () => {
  test("counts from its beginning until a kubelet has its pod, each told once", () => {
    const { placement, told } = setUp();
    assert.equal(placement.hasBegun, false);
    placement.begin();
    placement.begin();
    assert.equal(placement.hasBegun, true);
    for (const state of [QUEUED, unscheduled(), BOUND]) placement.note(state);
    assert.deepEqual(told, ["begin ci/unit"]);
    placement.note(TAKEN);
    placement.note(TAKEN);
    placement.place();
    assert.deepEqual(told, ["begin ci/unit", "placed ci/unit"]);
  });

  test("is no matter for one whose request still waits in line", () => {
    const { placement, told } = setUp();
    placement.note(TAKEN);
    placement.place();
    assert.deepEqual(told, []);
    placement.begin();
    placement.place();
    assert.deepEqual(told, ["begin ci/unit", "placed ci/unit"]);
  });

  test("is wanted no more once its Job is over, though nobody has seen a pod", () => {
    const { placement, told } = setUp();
    placement.begin();
    placement.note(GONE);
    assert.deepEqual(told, ["begin ci/unit", "placed ci/unit"]);
  });

  test("is told of by the scheduler's words, since the first of them, until they are over or it is there", () => {
    const { clock, placement, told } = setUp();
    placement.begin();
    told.length = 0;
    clock.skip(10);
    placement.note(unscheduled("no room"));
    clock.skip(10);
    placement.note(unscheduled("no room"));
    placement.note(unscheduled("still no room"));
    placement.note(QUEUED);
    clock.skip(10);
    placement.note(unscheduled("no room"));
    placement.note(TAKEN);
    placement.note(unscheduled("no room"));
    assert.deepEqual(told, [
      "wait ci/unit unit-1 no room 10",
      "wait ci/unit unit-1 still no room 10",
      "wait ci/unit unit-1 over",
      "wait ci/unit unit-1 no room 30",
      "placed ci/unit",
      "wait ci/unit unit-1 over",
    ]);
  });

  test("is looked at at a glance where another replica has the build: nothing is said of what it waits for", () => {
    const { placement, told } = setUp();
    placement.begin();
    placement.glance(() => unscheduled("no room"));
    placement.glance(() => TAKEN);
    placement.glance(() => assert.fail("it is known to have one"));
    assert.deepEqual(told, ["begin ci/unit", "placed ci/unit"]);
  });
});
