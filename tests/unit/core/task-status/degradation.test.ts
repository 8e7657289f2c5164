import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Degradation, decideDegradation, noteBuildEnd } from "../../../../src/core/task-status/degradation.ts";
import { findRule, type RuleId, VERDICT_RULES } from "../../../../src/core/verdict/rules.ts";
import { configuration, endedBeforeStart, infrastructure, type Verdict } from "../../../../src/core/verdict/verdict.ts";

const START = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number) => new Date(START + seconds * 1000);
const lost = infrastructure("pull-timeout", "no registry");
const passed: Verdict = { result: "SUCCESS", class: "success", rule: "exit-0", message: "" };
const failed: Verdict = { result: "FAILURE", class: "failure", rule: "exit-code", message: "" };

/** One end a second. */
function after(...verdicts: Verdict[]): Degradation | undefined {
  return verdicts.reduce<Degradation | undefined>((known, verdict, index) => noteBuildEnd(known, verdict, at(index)), undefined);
}

/** Seconds that no build is taken, from the last end on; undefined for a task that is taken as always. */
function holdAfter(...verdicts: Verdict[]): number | undefined {
  const known = after(...verdicts);
  const decided = decideDegradation(known, at(verdicts.length - 1));
  return decided && known && (decided.holdUntil.getTime() - known.at.getTime()) / 1000;
}

describe("a task", () => {
  test("is taken slowly after three builds in a row that could not be carried out, slower after each more", () => {
    assert.equal(holdAfter(lost, lost), undefined);
    const holds = [3, 4, 5, 6, 7, 8, 9, 1000].map((count) => holdAfter(...Array.from({ length: count }, () => lost)));
    assert.deepEqual(holds, [30, 60, 120, 240, 480, 600, 600, 600]);
  });

  test("is taken as always once a test has run, whatever came of it", () => {
    for (const ran of [passed, failed]) {
      assert.equal(holdAfter(lost, lost, lost, ran), undefined);
      assert.equal(holdAfter(lost, lost, ran, lost, lost), undefined, "it counts anew");
    }
  });

  test("is not judged by what says nothing of its next build", () => {
    const chances = [
      infrastructure("drained", ""),
      infrastructure("pod-deleted", ""),
      infrastructure("unclaimed", ""),
      endedBeforeStart("stop"),
      configuration("pod-refused", ""),
    ];
    for (const chance of chances) {
      assert.equal(holdAfter(chance, chance, chance, chance), undefined, chance.rule);
      assert.equal(holdAfter(lost, lost, chance, lost), 30, chance.rule);
    }
  });

  test("is judged by the class of an end whose rule another version had", () => {
    assert.equal(after(lost, lost, { ...lost, rule: "of-another-version" })?.failures, 3);
  });

  // What each rule says of a task whose builds cannot be carried out: that the way is clear again, one more that could not, or nothing.
  const SAYS: Record<"clear" | "worse" | "nothing", readonly RuleId[]> = {
    clear: ["exit-0", "run-timeout", "out-of-disk", "out-of-memory", "service-failed", "exit-code", "checks-passed", "check-failed"],
    worse: [
      ...(["pull-timeout", "schedule-timeout", "no-pod", "evicted", "pod-deadline", "node-refused", "pod-ended"] as const),
      "check-unread",
      ...(["injected-failed", "checkout-failed", "start-failed", "node-out-of-memory", "job-not-created", "operator-error"] as const),
    ],
    nothing: [
      ...(["stopped", "unclaimed", "ended-early", "preempted", "drained", "node-lost", "disrupted", "job-suspended"] as const),
      ...(["job-deleted", "pod-deleted", "killed", "pod-lost", "namespace-terminating", "name-taken", "job-gone"] as const),
      ...(["checkout-ref", "init-failed", "checkout-out-of-memory", "checkout-configuration", "not-runnable"] as const),
      ...(["service-not-ready", "run-again", "node-unfit", "no-interpreter", "invalid-image-name", "image-not-found"] as const),
      ...(["image-denied", "image-platform", "container-config", "volume-not-found", "pod-refused", "no-task"] as const),
      ...([
        "bad-request",
        "pipeline",
        "no-dataset",
        "dataset-not-needed",
        "dataset-size",
        "dataset-copy",
        "unsupported",
        "unrenderable",
        "job-refused",
        "invalid-task",
        "unwatched",
        "cut-off",
      ] as const),
      ...(["sandbox-lost", "check-fault", "log-cut", "bad-checks"] as const),
    ],
  };

  for (const [says, rules] of Object.entries(SAYS)) {
    for (const rule of rules) {
      test(`hears ${says} from ${rule}`, () => {
        const { class: verdictClass } = findRule(rule) ?? assert.fail(`there is no rule ${rule}`);
        const end: Verdict = { result: null, class: verdictClass, rule, message: "" };
        const failures = after(lost, lost, lost, end)?.failures ?? 0;
        assert.equal(failures, { clear: 0, worse: 4, nothing: 3 }[says]);
      });
    }
  }

  test("hears something from every rule", () => {
    assert.deepEqual(new Set(Object.values(SAYS).flat()), new Set(VERDICT_RULES.map(({ id }) => id)));
  });

  test("is taken as always after an hour in which nothing more was lost", () => {
    const known = after(lost, lost, lost);
    assert.deepEqual(decideDegradation(known, at(2 + 3599))?.until, at(2 + 3600));
    assert.equal(decideDegradation(known, at(2 + 3600)), undefined);
    assert.equal(noteBuildEnd(known, lost, at(2 + 3600))?.failures, 1);
  });
});
