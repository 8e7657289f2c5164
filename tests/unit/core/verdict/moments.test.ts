import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BuildFacts, decideBuild } from "../../../../src/core/verdict/build-decision.ts";
import { disrupted, makeJob, makePod, observe, running, terminated, UNSCHEDULED, waiting } from "../../../support/objects/build-objects.ts";

const LIMITS = {
  podMs: 600_000,
  scheduleMs: undefined,
  pullMs: 1_200_000,
  checkoutMs: 600_000,
  collectMs: 600_000,
  runMs: 3_600_000,
  run: "1h",
};
const NOW = new Date("2026-01-01T12:00:00Z");
const ago = (ms: number) => new Date(NOW.getTime() - ms);
const ENDING = { containers: [{ name: "test" }], nodeName: "node-1", activeDeadlineSeconds: 1 };

interface Row {
  seen: string;
  /** For so long. */
  ms?: number;
  pod?: Parameters<typeof makePod>[0];
  kill?: string;
  facts?: Partial<BuildFacts>;
  /** A verdict's rule, `end` and why, or the milliseconds until it is looked at again. */
  next: string | number | undefined;
}

/** A test that began at second 1 of midnight and ran for so long. */
const ran = (exitCode: number, seconds: number) =>
  terminated("test", exitCode, { finishedAt: new Date(Date.parse("2026-01-01T00:00:01Z") + seconds * 1000).toISOString() });
const status = (...containerStatuses: ReturnType<typeof terminated>[]) => ({ status: { containerStatuses } });
const init = (exitCode: number, more: object = {}) => ({
  spec: { initContainers: [{ name: "setup" }] },
  status: { initContainerStatuses: [terminated("setup", exitCode, more)], containerStatuses: [waiting("test", "PodInitializing")] },
});
const preparing = (reason: string, more: object = {}) => ({
  ...more,
  status: { phase: "Pending", containerStatuses: [waiting("test", reason)] },
});

const ROWS: Row[] = [
  { seen: "a KILL, as its reason may still come", ms: 0, pod: status(terminated("test", 137)), next: 3000 },
  { seen: "a TERM, likewise", ms: 2999, pod: status(terminated("test", 143)), next: 1 },
  { seen: "a KILL for which none came", ms: 3000, pod: status(terminated("test", 137)), next: "exit-code" },
  {
    seen: "an exit code that is no signal's, in a pod that has ended",
    pod: { status: { phase: "Failed", containerStatuses: [terminated("test", 3)] } },
    next: "exit-code",
  },
  { seen: "a KILL for want of memory", ms: 0, pod: status(terminated("test", 137, { reason: "OOMKilled" })), next: "node-out-of-memory" },
  { seen: "an init container that got a KILL", ms: 2999, pod: init(137), next: 1 },
  { seen: "an init container for which no reason came", ms: 3000, pod: init(137), next: "init-failed" },
  {
    seen: "a KILL in a pod that somebody disrupts",
    ms: 0,
    pod: { status: { conditions: [disrupted("Other")], containerStatuses: [terminated("test", 137)] } },
    next: "disrupted",
  },
  {
    seen: "a KILL in a pod that is deleted",
    ms: 0,
    pod: { metadata: { deletionTimestamp: "2026-01-01T00:00:20Z" }, ...status(terminated("test", 137)) },
    next: "pod-deleted",
  },
  {
    seen: "a KILL of a test that was started again",
    ms: 0,
    pod: status({ ...running("test"), lastState: { terminated: { exitCode: 137 } }, restartCount: 1 }),
    next: "exit-code",
  },
  { seen: "an end by the kubelet", ms: 1000, kill: "Stopping container test", pod: status(terminated("test", 1)), next: 599_000 },
  { seen: "one whose pod never ended", ms: 600_000, kill: "Stopping container test", pod: status(terminated("test", 1)), next: "killed" },

  { seen: "a test that passed just before its pod's own deadline", ms: 0, pod: status(ran(0, 5398)), next: "exit-0" },
  { seen: "a test that passed as that came", ms: 3000, pod: status(ran(0, 5399)), next: 597_000 },
  { seen: "one whose pod never ended", ms: 600_000, pod: status(ran(0, 5399)), next: "pod-deadline" },
  {
    seen: "one whose pod ended by itself",
    ms: 0,
    pod: { status: { phase: "Succeeded", containerStatuses: [ran(0, 5399)] } },
    next: "exit-0",
  },
  { seen: "a test that failed as that came", ms: 3000, pod: status(ran(1, 5399)), next: 597_000 },

  {
    seen: "a test that another process had ended for its time, as whole seconds tell it",
    ms: 0,
    pod: { spec: ENDING, ...status(ran(143, 3599)) },
    next: "run-timeout",
  },
  { seen: "one that had not had its time", ms: 0, pod: { spec: ENDING, ...status(ran(143, 3598)) }, next: "ended-early" },
  {
    seen: "a pod with its deadline passed, and the test's time with it",
    ms: 0,
    pod: { status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [ran(137, 3600)] } },
    next: "run-timeout",
  },
  {
    seen: "a pod with its deadline passed a second before the test's time",
    ms: 0,
    pod: { status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [ran(137, 3599)] } },
    next: "pod-deadline",
  },
  {
    seen: "a test that this process has ended for its time, less a minute",
    ms: 0,
    pod: { spec: ENDING, ...status(ran(143, 3540)) },
    facts: { ending: "run-timeout" },
    next: "run-timeout",
  },
  {
    seen: "one that ended earlier than that: its pod may tell why",
    ms: 3000,
    pod: { spec: ENDING, ...status(ran(143, 3539)) },
    facts: { ending: "run-timeout" },
    next: 30_000,
  },

  { seen: "a pod that prepares", ms: 0, pod: preparing("ErrImagePull"), next: 1_200_000 },
  { seen: "a pod that has prepared too long", ms: 1_200_000, pod: preparing("ErrImagePull"), next: "end pull-timeout" },
  {
    seen: "a pod with a checkout, which has a time of its own",
    ms: 1_200_000,
    pod: preparing("ErrImagePull", { spec: { initContainers: [{ name: "checkout" }] } }),
    next: 600_000,
  },
  {
    seen: "a checkout that has had that",
    ms: 1_800_000,
    pod: preparing("ErrImagePull", { spec: { initContainers: [{ name: "checkout" }] } }),
    next: "end pull-timeout",
  },
  { seen: "a pod that says nothing", ms: 19_999, pod: preparing("ContainerCreating"), next: 1 },
  { seen: "a pod that said nothing when it was asked about", ms: 20_000, pod: preparing("ContainerCreating"), next: 1_180_000 },
  { seen: "a Job without a pod", ms: 4999, next: 1 },
  { seen: "a Job that was asked about", ms: 5000, next: 595_000 },
  { seen: "a Job that got none", ms: 600_000, next: "no-pod" },
  { seen: "a pod that waits for a node", ms: 86_400_000, pod: UNSCHEDULED, next: undefined },
  {
    seen: "a pod that may wait for an hour",
    ms: 3_599_999,
    pod: UNSCHEDULED,
    facts: { limits: { ...LIMITS, scheduleMs: 3_600_000 } },
    next: 1,
  },
  { seen: "a running test", ms: 3_599_999, pod: {}, next: 1 },
  { seen: "a test that has run too long", ms: 3_600_000, pod: {}, next: "end run-timeout" },

  {
    seen: "one whose init container had no memory, though that exited with 0: no test could",
    ms: 0,
    pod: { ...init(0, { reason: "OOMKilled" }), spec: { ...ENDING, initContainers: [{ name: "setup" }] } },
    facts: { withdrawn: "stop" },
    next: "stopped",
  },
  { seen: "a pod that was told to end", pod: { spec: ENDING }, facts: { withdrawn: "stop", endingSince: NOW }, next: 30_000 },
  { seen: "one of which it is not known since when", pod: { spec: ENDING }, facts: { withdrawn: "stop" }, next: 30_000 },
  {
    seen: "one whose kubelet has a second left",
    pod: { spec: ENDING },
    facts: { withdrawn: "stop", endingSince: ago(629_000) },
    next: 1000,
  },
  {
    seen: "one whose kubelet is gone",
    pod: { spec: ENDING },
    facts: { withdrawn: "stop", endingSince: ago(630_000) },
    next: "stopped",
  },
];

describe("what is done about", () => {
  for (const { seen, ms = 0, pod, kill, facts, next } of ROWS) {
    test(`${seen}${pod && ms > 0 ? ` (${ms} ms)` : ""}: ${next}`, () => {
      const state = observe(makeJob(), pod ? [makePod(pod)] : [], kill);
      const action = decideBuild({ state, withdrawn: undefined, since: ago(ms), limits: LIMITS, ...facts }, NOW);
      if (action.kind === "wait") assert.equal(action.recheckInMs, next);
      else assert.equal(action.kind === "finish" ? action.verdict.rule : `end ${action.end}`, next);
    });
  }
});
