import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { suspendedAfterStart } from "../../../../src/core/observation/build-state.ts";
import { observeTrouble } from "../../../../src/core/observation/waiting-trouble.ts";
import { type BuildFacts, decideBuild } from "../../../../src/core/verdict/build-decision.ts";
import { VERDICT_RULES } from "../../../../src/core/verdict/rules.ts";
import { observe } from "../../../support/objects/build-objects.ts";
import { histories, MOMENTS, namesOf, type Shown, showsSuccess } from "../../../support/objects/pod-histories.ts";

const LIMITS = { podMs: 600_000, scheduleMs: 3_600_000, pullMs: 600_000, checkoutMs: 600_000, runMs: 3_600_000, run: "1h" };
const START = Date.parse("2026-01-01T00:00:00Z");
const RULES = new Set<string>(VERDICT_RULES.map(({ id }) => id));

function factsOf(shown: Shown, withdrawn: BuildFacts["withdrawn"], sinceMs: number): BuildFacts {
  const observed = observe(shown.job, shown.pods, shown.kill);
  const state = observed.kind === "absent" ? suspendedAfterStart(undefined) : observed;
  const trouble = observeTrouble(state, shown.events ?? []);
  const since = new Date(sinceMs);
  return { state, withdrawn, since, trouble: trouble && { trouble, since }, limits: LIMITS };
}

describe("2,000 generated histories of a pod, observed, decided and judged", () => {
  test("never end as SUCCESS without exit code 0 of the test's container, and the same sight is judged the same twice", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        let nowMs = START;
        let withdrawn: BuildFacts["withdrawn"];
        for (const { shown, passMs, isStop } of steps) {
          if (isStop) withdrawn = "stop";
          const facts = factsOf(shown, withdrawn, nowMs);
          for (const ms of [0, passMs]) {
            const action = decideBuild(facts, new Date(nowMs + ms));
            assert.deepEqual(decideBuild(facts, new Date(nowMs + ms)), action);
            if (action.kind !== "finish") continue;
            const { verdict } = action;
            assert.ok(RULES.has(verdict.rule));
            assert.equal(verdict.result === "SUCCESS", verdict.class === "success", namesOf(steps));
            assert.equal(verdict.result === null, verdict.class === "infrastructure", namesOf(steps));
            if (verdict.result === "SUCCESS") assert.ok(showsSuccess(shown), `${shown.name}: ${namesOf(steps)}`);
          }
          nowMs += passMs;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("whatever is seen of a build", () => {
  for (const withdrawn of [undefined, "stop", "unclaimed"] as const) {
    test(`it is judged, ended or looked at again in time${withdrawn ? `, asked for ${withdrawn}` : ""}`, () => {
      for (const shown of MOMENTS) {
        const facts = factsOf(shown, withdrawn, START);
        const action = decideBuild(facts, new Date(START + 24 * 3_600_000));
        const waits = facts.state.kind === "suspended" || facts.trouble?.trouble.rule === "quota-full";
        if (action.kind !== "wait") continue;
        const isEnding = "pod" in facts.state && facts.state.pod?.isEnding;
        assert.ok(isEnding || (waits && !withdrawn), `${shown.name} waits after a day`);
      }
    });
  }
});
