import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { playCanary } from "../../../../src/commands/doctor/play-canary.ts";
import type { TestTasksSeen } from "../../../../src/commands/status/server-report.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

describe("a canary that can't be played", () => {
  const known = (...tasks: ReturnType<typeof makeTask>[]): TestTasksSeen => ({ isKnown: true, tasks, invalid: [] });
  const twice = known(makeTask(), makeTask({}, { namespace: "other" }));

  for (const [name, task, seen, state, says] of [
    ["unknown TestTasks", "unit", { isKnown: false, why: "no cluster" }, "unseen", /^the TestTasks are unknown: no cluster$/],
    ["no such TestTask", "docs", known(makeTask()), "failed", /no valid TestTask docs/],
    ["one of another namespace", "there/unit", known(makeTask()), "failed", /no valid TestTask there\/unit/],
    ["two of that name", "unit", twice, "failed", /NAMESPACE\/NAME/],
    [
      "one whose jobs others hold",
      "young",
      known(makeTask(), makeTask({ jobs: ["unit"] }, { name: "young" })),
      "failed",
      /others hold all/,
    ],
    ["a suspended one", "unit", known(makeTask({ suspend: true })), "failed", /suspended/],
  ] as const) {
    test(`is told, and nothing is sent: ${name}`, async () => {
      const { signal } = new AbortController();
      const onEvent = () => assert.fail("nothing happens");
      const options = { task, server: "127.0.0.1:1", project: "p", zuulUrl: undefined, parameters: [], timeoutMs: 1, onEvent };
      const [canary] = await playCanary(options, seen, { clock: makeManualClock(), signal, leave: signal });
      assert.equal(canary?.state, state);
      assert.match(canary?.says ?? "", says);
    });
  }
});
