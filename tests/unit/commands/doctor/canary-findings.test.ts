import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderCanary, renderCanaryProblem, renderNoCanary } from "../../../../src/commands/doctor/canary-findings.ts";
import type { SubmitEnd, SubmitEvent } from "../../../../src/commands/submit/submit-event.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const STEPS = ["accepted", "created", "scheduled", "preparing", "running", "ended"];

/** A build that has come to this step, and ended so. */
function played(step: string, end: Partial<SubmitEnd>, spec: object = {}, asked: object = {}, steps = STEPS) {
  const events: SubmitEvent[] = steps.slice(0, steps.indexOf(step) + 1).map((name, numerator) => ({
    ...{ event: "step" as const, numerator, denominator: STEPS.length, name },
  }));
  const ended = { event: "ended" as const, result: null, reason: null, message: "m", number: "unit-1", url: null, node: null, ...end };
  return renderCanary(makeTask(spec), "ci/unit", { hasZuulUrl: true, hasRef: false, ...asked }, events, ended).map(({ state }) => state);
}

describe("a canary", () => {
  const CHECKS_OUT = { checkout: {} };
  for (const [name, step, end, spec, states] of [
    ["success", "ended", { result: "SUCCESS" }, CHECKS_OUT, ["ok", "ok", "ok"]],
    ["success of one without a checkout", "ended", { result: "SUCCESS" }, {}, ["ok", "ok", "unseen"]],
    ["a test that fails", "running", { result: "FAILURE" }, CHECKS_OUT, ["failed", "ok", "ok"]],
    [
      "an image that is not there",
      "scheduled",
      { result: "CONFIG_ERROR", message: "CONFIG_ERROR - cannot pull image x:1" },
      CHECKS_OUT,
      ["failed", "failed", "unseen"],
    ],
    ["a checkout that fails", "preparing", { result: "CONFIG_ERROR" }, CHECKS_OUT, ["failed", "unseen", "warning"]],
    ["nobody who takes it", "accepted", { reason: "timed-out" }, CHECKS_OUT, ["failed", "unseen", "unseen"]],
  ] as const) {
    test(`tells of ${name}: build, image, zuul_url from a pod`, () => assert.deepEqual(played(step, end, spec), states));
  }

  test("that ended before it was seen to run leaves both to its page, whatever its test says of an image", () => {
    const steps = STEPS.filter((name) => name !== "running");
    const end = { result: "FAILURE", message: "FAILURE - the image differs" };
    assert.deepEqual(played("ended", end, CHECKS_OUT, {}, steps), ["failed", "unseen", "unseen"]);
    assert.deepEqual(played("ended", { result: "CONFIG_ERROR" }, CHECKS_OUT, {}, steps), ["failed", "unseen", "warning"]);
  });

  const FROM_GIT = { checkout: { gitUrl: "https://git.example.org" } };
  for (const [name, spec, asked, state] of [
    ["has no ZUUL_URL", CHECKS_OUT, { hasZuulUrl: false }, "unseen"],
    ["is a timer's and has a gitUrl", FROM_GIT, {}, "unseen"],
    ["has a ref, and a gitUrl", FROM_GIT, { hasRef: true }, "ok"],
  ] as const) {
    test(`says of zuul_url what it has asked there: a build that ${name}`, () => {
      assert.deepEqual(played("ended", { result: "SUCCESS" }, spec, asked), ["ok", "ok", state]);
    });
  }

  test("that was not asked for, or can't be, leaves what it alone could tell unseen", () => {
    assert.deepEqual(
      renderNoCanary().map(({ state }) => state),
      ["unseen", "unseen", "unseen"],
    );
    const [canary, ...others] = renderCanaryProblem("there is none");
    assert.deepEqual([canary?.state, canary?.says], ["failed", "there is none"]);
    assert.deepEqual(
      others.map(({ state }) => state),
      ["unseen", "unseen"],
    );
  });
});
