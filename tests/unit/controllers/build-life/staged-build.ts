import assert from "node:assert/strict";
import { setImmediate as immediate } from "node:timers/promises";
import { Build } from "../../../../src/controllers/build-life/build.ts";
import type { BuildPlan } from "../../../../src/controllers/build-life/build-context.ts";
import { Rush } from "../../../../src/controllers/build-life/rush.ts";
import { Tallies } from "../../../../src/controllers/builds/tallies.ts";
import type { BuildCluster } from "../../../../src/controllers/ports.ts";
import { readJobRecord } from "../../../../src/core/job/record.ts";
import type { ContainerRoles } from "../../../../src/core/kubernetes/container-roles.ts";
import { CONTAINERS_ANNOTATION } from "../../../../src/core/kubernetes/labels.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { renderWorkData } from "../../../../src/core/zuul/work-data.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";
import type { Shown } from "../../../support/objects/pod-histories.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const LIMITS = {
  podMs: 600_000,
  scheduleMs: undefined,
  pullMs: 600_000,
  checkoutMs: 600_000,
  collectMs: 600_000,
  runMs: 3_600_000,
  run: "1h",
};
const REQUEST = {
  server: "s",
  unique: "u",
  number: "unit-0123456789abcdef",
  logPath: null,
  payloadHash: null,
  handle: null,
  replica: "one",
  since: "2026-11-01T00:00:00Z",
};
const WORKER = { manager: "m", name: "w", hostname: "h", fqdn: "h", program: "p", version: "1", ips: [] };
const ANNOTATIONS = {
  "turbo-hipster.io/request": JSON.stringify(REQUEST),
  "turbo-hipster.io/timeouts": JSON.stringify({ pull: "10m", run: "1h" }),
  "turbo-hipster.io/function": "build:unit",
};

/** A real build whose cluster shows what a test wants. */
export interface StagedBuild {
  readonly build: Build;
  readonly rush: Rush;
  /** What its requesters got: the result, or "none". */
  readonly answers: readonly string[];
  /** What its Job was annotated with, write by write. */
  readonly writes: readonly Record<string, string>[];
  /** What it did to the cluster, in order: "write", "end-pod", "delete-job". */
  readonly deeds: readonly string[];
  /** The fields of each time that it has logged this. */
  logged(message: string): object[];
  /** Everything that it was shown, the first when its Job was created. */
  readonly seen: readonly Shown[];
  readonly isToldToEnd: boolean;
  readonly isOver: boolean;
  /** Its Job and pods are these from now on; lets so much time pass after the build has looked at them. */
  show(next: Shown, passMs: number): Promise<void>;
  /** The machine's clock is set on, or back, by so much; no time passes. */
  jumpClock(ms: number): void;
  /** Its request once more. */
  askAgain(): void;
  /** Its next writes fail with these, one after another. */
  failWrites(errors: readonly Error[]): void;
  /** Its next tries to delete the Job fail with these, one after another. */
  failDeletes(errors: readonly Error[]): void;
  /** Its next tries to end the pod fail with these, one after another. */
  failEnds(errors: readonly Error[]): void;
  /** Its server reads no answer until the function that is returned is called. */
  holdAnswers(): () => void;
  /** Lets it stop where it is. */
  stop(): Promise<void>;
}

/** When it begins, by the API server's clock; this machine's says 1970. */
export const BEGINS = new Date("2026-01-01T02:00:00Z");

/** Begins it with its request and a Job without a pod; with `found` it is there already, and as `found` says. */
export function stageBuild(roles?: ContainerRoles, found?: Shown): StagedBuild {
  const clock = makeManualClock();
  const rush = new Rush(clock);
  const answers: string[] = [];
  const writes: Record<string, string>[] = [];
  let shown: Shown = found ?? { name: "created", job: makeJob(), pods: [] };
  const seen: Shown[] = [shown];
  let isToldToEnd = false;
  const failures: Error[] = [];
  const endFailures: Error[] = [];
  const deleteFailures: Error[] = [];
  const lines: { message: string; fields: object }[] = [];
  const log = (fields: object, message: string) => void lines.push({ message, fields });
  const logger: Logger = { ...silentLogger, info: log, warn: log, error: log, child: () => logger };
  const deeds: string[] = [];
  let answered: Promise<void> | undefined;
  const cluster: BuildCluster = {
    now: () => new Date(BEGINS.getTime() + clock.monotonicMs()),
    createJob: async (job) => ({ kind: "created", job }),
    getJob: async () => shown.job,
    readPods: async () => shown.pods,
    async annotateJob(_namespace, _name, annotations) {
      const failure = failures.shift();
      if (failure) throw failure;
      writes.push(annotations);
      deeds.push("write");
      return true;
    },
    async deleteJob() {
      const failure = deleteFailures.shift();
      if (failure) throw failure;
      deeds.push("delete-job");
    },
    async endPod() {
      const failure = endFailures.shift();
      if (failure) throw failure;
      deeds.push("end-pod");
      isToldToEnd = true;
    },
    deletePod: async () => void deeds.push("delete-pod"),
    cachedJob: () => shown.job,
    cachedPods: () => shown.pods,
    cachedJobs: () => [],
    cachedJobsOf: () => [],
    killOf: () => shown.kill,
    readEvents: async () => shown.events ?? [],
  };
  let lastData = "";
  const makeAssignment = (): Assignment => ({
    ...{ server: "s", handle: "H:s:1", functionName: "build:unit", unique: "u", payload: new Uint8Array(), payloadBytes: 0 },
    slot: { release() {} },
    lost: new AbortController().signal,
    clientGone: new AbortController().signal,
    sendData: (json) => {
      lastData = json;
    },
    sendStatus() {},
    complete: async (json) => {
      assert.equal(json, lastData);
      await answered;
      answers.push(JSON.parse(json).result);
      return "delivered";
    },
    fail: async () => {
      answers.push("none");
      return "delivered";
    },
    handBack: () => false,
  });
  const annotations = { ...ANNOTATIONS, ...(roles ? { [CONTAINERS_ANNOTATION]: JSON.stringify(roles) } : {}) };
  const job: Job = makeJob({ metadata: { annotations, labels: { "turbo-hipster.io/task": "unit" } } });
  const record = readJobRecord(job);
  assert.ok(record);
  const plan: BuildPlan = {
    ...{ taskKey: "ci/unit", job, record, limits: LIMITS, nodeLabels: [] },
    workData: renderWorkData({ jobName: "unit", number: REQUEST.number, url: "http://b/1" }, WORKER),
    origin: found ? { kind: "found", slot: { release() {} }, isAnswered: false } : { kind: "request", assignment: makeAssignment() },
  };
  const build = new Build(plan, {
    ...{ cluster, clock, logger },
    servers: { chance: () => "open", reclaim() {}, handsOutAgain: () => true },
    keptJobs: { giveWay() {} },
    stored: { urlOf: () => undefined, maskerOf: () => undefined },
    tasks: { mayBegin: () => true, count: (_taskKey, slot) => slot, noteWaiting() {}, noteVerdict() {} },
    replicas: { name: "one", isHolder: true, isAlive: () => false },
    counts: {
      tallies: new Tallies({ onActivity() {}, onPending() {} }),
      observer: { noteVerdict() {}, notePhase() {}, noteAnswer() {} },
      rush,
    },
    unclaimed: new Set(),
    delivered: new Set(),
    policy: { resultStyle: "text", keepJobSeconds: 60 },
  });
  const askAgain = () => build.attach(makeAssignment(), REQUEST);
  let isOver = false;
  const stopping = new AbortController();
  const run = build.run(stopping.signal).then(() => {
    isOver = true;
  });
  return {
    ...{ build, rush, answers, writes, deeds, seen, askAgain },
    get isToldToEnd() {
      return isToldToEnd;
    },
    get isOver() {
      return isOver;
    },
    async show(next, passMs) {
      shown = next;
      seen.push(next);
      build.wake();
      for (let turn = 0; turn < 3; turn += 1) await immediate();
      clock.skip(passMs);
      for (let turn = 0; turn < 3; turn += 1) await immediate();
    },
    jumpClock: (ms) => clock.jump(ms),
    failWrites: (errors) => void failures.push(...errors),
    failDeletes: (errors) => void deleteFailures.push(...errors),
    logged: (message) => lines.filter((line) => line.message === message).map(({ fields }) => fields),
    failEnds: (errors) => void endFailures.push(...errors),
    holdAnswers() {
      const { promise, resolve } = Promise.withResolvers<void>();
      answered = promise;
      return resolve;
    },
    async stop() {
      stopping.abort();
      await run;
    },
  };
}
