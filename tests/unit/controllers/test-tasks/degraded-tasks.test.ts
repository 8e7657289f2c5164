import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DegradedTasks } from "../../../../src/controllers/test-tasks/degraded-tasks.ts";
import { infrastructure, type Verdict } from "../../../../src/core/verdict/verdict.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const AN_HOUR = 3_600_000;
const LOST = infrastructure("pull-timeout", "the registry is away");
const PASSED: Verdict = { result: "SUCCESS", class: "success", rule: "exit-0", message: "ok" };

function setUp() {
  const clock = makeManualClock();
  const logged: string[] = [];
  const log = (_fields: object, message: string) => void logged.push(message);
  const degraded = new DegradedTasks({ clock, logger: { ...silentLogger, info: log, warn: log } });
  const note = (count: number, verdict: Verdict = LOST, key = "ci/a") => {
    for (let each = 0; each < count; each += 1) degraded.note(key, verdict);
  };
  return { clock, degraded, logged, note };
}

describe("a task whose builds cannot be carried out", () => {
  test("is taken slowly after three in a row: none for half a minute, then one", () => {
    const { clock, degraded, note } = setUp();
    note(2);
    assert.equal(degraded.of("ci/a"), undefined);
    note(1);
    const { holdMs, changesInMs, failures, message } = degraded.of("ci/a") ?? assert.fail();
    assert.deepEqual([holdMs, changesInMs, failures, message], [30_000, 30_000, 3, "the registry is away"]);
    assert.equal(degraded.of("ci/b"), undefined, "others are not");
    clock.skip(30_000);
    assert.deepEqual([degraded.of("ci/a")?.holdMs, degraded.of("ci/a")?.changesInMs], [0, AN_HOUR - 30_000]);
    clock.skip(AN_HOUR - 30_000);
    assert.equal(degraded.of("ci/a"), undefined, "after an hour nothing is known any more");
  });

  test("is held longer with each failure more, and taken as always after one build that ran", () => {
    const { clock, degraded, note, logged } = setUp();
    note(3);
    clock.skip(30_000);
    note(1);
    assert.equal(degraded.of("ci/a")?.holdMs, 60_000);
    note(1, PASSED);
    assert.equal(degraded.of("ci/a"), undefined);
    note(2);
    assert.equal(degraded.of("ci/a"), undefined, "they are counted from the start");
    assert.deepEqual(logged, ["takes a TestTask slowly", "takes a TestTask slowly", "takes a TestTask as always again"]);
  });

  test("is forgotten with the task, and with no other", () => {
    const { degraded, note } = setUp();
    note(3);
    note(3, LOST, "ci/b");
    degraded.keep(new Set(["ci/b"]));
    assert.deepEqual([degraded.of("ci/a"), degraded.of("ci/b")?.failures], [undefined, 3]);
  });

  test("is so for as long as that takes, wherever the machine's clock is set, and says until when by it", () => {
    const { clock, degraded, note } = setUp();
    clock.skip(AN_HOUR);
    clock.jump(Date.parse("2026-01-01T00:00:00Z") - AN_HOUR);
    note(3);
    clock.jump(AN_HOUR);
    assert.equal(degraded.of("ci/a")?.holdMs, 30_000);
    clock.jump(-2 * AN_HOUR);
    clock.skip(10_000);
    assert.equal(degraded.of("ci/a")?.holdMs, 20_000);
    assert.equal(degraded.of("ci/a")?.holdUntil.toISOString(), "2026-01-01T00:00:30.000Z");
    clock.skip(20_000);
    assert.equal(degraded.of("ci/a")?.holdMs, 0);
  });
});
