import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import fc from "fast-check";
import { Build } from "../../../src/controllers/build.ts";
import type { Assignment, BuildCluster } from "../../../src/controllers/ports.ts";
import { observeBuild } from "../../../src/core/build-state.ts";
import type { Job } from "../../../src/core/kubernetes-objects.ts";
import { silentLogger } from "../../../src/runtime/logger.ts";
import { makeJob, makePod, terminated } from "../../support/build-objects.ts";
import { histories, namesOf, type Shown, type Step, showsSuccess } from "../../support/pod-histories.ts";
import { makeManualClock } from "../gearman/manual-clock.ts";

const LIMITS = { podMs: 600_000, scheduleMs: undefined, pullMs: 600_000, checkoutMs: 600_000, runMs: 3_600_000, run: "1h" };
const REQUEST = { server: "s", unique: "u", number: "unit-0123456789abcdef", logPath: null, replica: "one", since: "2026-11-01T00:00:00Z" };
const ANNOTATIONS = {
  "turbo-hipster.io/request": JSON.stringify(REQUEST),
  "turbo-hipster.io/timeouts": JSON.stringify({ pull: "10m", run: "1h" }),
  "turbo-hipster.io/function": "build:unit",
};
const NOTHING: Shown = { name: "nothing", job: undefined, pods: [] };
const ENDED: Shown = {
  name: "ended as it was told",
  job: makeJob(),
  pods: [
    makePod({
      spec: { containers: [{ name: "test" }], nodeName: "node-1", activeDeadlineSeconds: 1 },
      status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [terminated("test", 143)] },
    }),
  ],
};

/** Plays a history before a real build; resolves to the answers that its requester got. */
async function play(steps: readonly Step[]): Promise<{ answers: string[]; seen: Shown[] }> {
  const clock = makeManualClock();
  const answers: string[] = [];
  const seen: Shown[] = [];
  let shown: Shown = { name: "created", job: makeJob(), pods: [] };
  let isToldToEnd = false;
  const cluster: BuildCluster = {
    createJob: async (job) => ({ kind: "created", job }),
    getJob: async () => shown.job,
    readPods: async () => shown.pods,
    annotateJob: async () => true,
    deleteJob: async () => {},
    async endPod() {
      isToldToEnd = true;
    },
    cachedJob: () => shown.job,
    cachedPods: () => shown.pods,
    cachedJobs: () => [],
    killOf: () => shown.kill,
    readEvents: async () => shown.events ?? [],
  };
  let lastData = "";
  const assignment: Assignment = {
    ...{ server: "s", functionName: "build:unit", unique: "u", payload: new Uint8Array(), payloadBytes: 0 },
    slot: { release() {} },
    lost: new AbortController().signal,
    clientGone: new AbortController().signal,
    sendData: (json) => {
      lastData = json;
    },
    sendStatus() {},
    complete: async (json) => {
      assert.equal(json, lastData);
      answers.push(JSON.parse(json).result);
      return "delivered";
    },
    fail: async () => {
      answers.push("none");
      return "delivered";
    },
  };
  const job: Job = makeJob({ metadata: { annotations: ANNOTATIONS, labels: { "turbo-hipster.io/task": "unit" } } });
  const build = new Build({
    isServerUp: () => true,
    mayBeAskedLater: () => false,
    replica: "one",
    replicas: { isHolder: true, isAlive: () => false },
    ...{ job, limits: LIMITS, nodeLabels: [], taskKey: "ci/unit", cluster, clock, logger: silentLogger },
    workData: { number: "unit-0123456789abcdef", name: "unit" } as never,
    observer: { noteVerdict() {}, notePhase() {}, noteAnswer() {} } as never,
    ...{ resultStyle: "text", keepJobSeconds: 60, isAdopted: false, slot: undefined },
    onPlaced() {},
    onJudged() {},
  });
  build.attach(assignment, REQUEST);
  let isOver = false;
  const stopping = new AbortController();
  const run = build.run(stopping.signal).then(() => {
    isOver = true;
  });
  const show = async (next: Shown, passMs: number) => {
    shown = next;
    seen.push(next);
    build.wake();
    for (let turn = 0; turn < 3; turn += 1) await immediate();
    clock.skip(passMs);
    for (let turn = 0; turn < 3; turn += 1) await immediate();
  };

  for (const { shown: next, passMs, isStop } of steps) {
    if (isStop) build.requestStop();
    await show(next, passMs);
  }
  // However it went on so far: Zuul stops it, the kubelet does as it is told, and at last nothing is left.
  build.requestStop();
  if (observeBuild(shown.job, shown.pods).kind !== "absent") await show(shown, 1000);
  if (isToldToEnd && !isOver) await show(ENDED, 1000);
  for (let hours = 0; hours < 3 && !isOver; hours += 1) await show(NOTHING, 3_600_000);
  stopping.abort();
  await run;
  return { answers, seen };
}

describe("2,000 generated histories of a pod, played before a real build", () => {
  test("each get one answer, and SUCCESS only where exit code 0 of the test's container was seen", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (steps) => {
        const { answers, seen } = await play(steps);
        assert.equal(answers.length, 1, `${answers.length} answers (${answers}): ${namesOf(steps)}`);
        if (answers[0] === "SUCCESS") assert.ok(seen.some(showsSuccess), `SUCCESS without exit code 0: ${namesOf(steps)}`);
      }),
      { numRuns: 2000 },
    );
  });
});
