import assert from "node:assert/strict";
import { setImmediate as immediate } from "node:timers/promises";
import { Builds } from "../../../../src/controllers/builds/builds.ts";
import { Tallies } from "../../../../src/controllers/builds/tallies.ts";
import type { BuildCluster, JobCreated, RefusedFunction } from "../../../../src/controllers/ports.ts";
import type { Chance } from "../../../../src/core/job/claim-clock.ts";
import { readJobRecord } from "../../../../src/core/job/record.ts";
import { isSameRelaunch } from "../../../../src/core/job/relaunch.ts";
import { RELAUNCH_ANNOTATION } from "../../../../src/core/kubernetes/labels.ts";
import type { Job, KubeEvent, Pod } from "../../../../src/core/kubernetes/objects.ts";
import type { Masker } from "../../../../src/core/logs/masking.ts";
import type { TestTask } from "../../../../src/core/test-task/test-task.ts";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { TurboHipsterError } from "../../../../src/runtime/errors.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makePod, running, terminated, UNSCHEDULED } from "../../../support/objects/build-objects.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const WORKER = { manager: "m", name: "w", hostname: "h", fqdn: "h", program: "p", version: "1", ips: [] };
/** Time passes in steps of this length at most, so that what waits for it can go on in between. */
const STEP_MS = 30_000;
/** Far more looks at the cache than a few turns need. */
const MAX_LOOKS = 10_000;

const AWAY = new TurboHipsterError("TH_TEST_AWAY", "no answer", { retryable: true });

/** What a test's pod shows. */
const PODS = {
  unscheduled: makePod(UNSCHEDULED),
  running: makePod({ status: { containerStatuses: [running("test")] } }),
  passed: makePod({ status: { phase: "Succeeded", containerStatuses: [terminated("test", 0)] } }),
  failed: makePod({ status: { phase: "Failed", containerStatuses: [terminated("test", 1)] } }),
  ended: makePod({ status: { phase: "Failed", reason: "DeadlineExceeded", containerStatuses: [terminated("test", 143)] } }),
  lost: makePod({ metadata: { deletionTimestamp: "2026-11-01T00:00:00Z" }, status: { phase: "Failed", reason: "NodeLost" } }),
} satisfies Record<string, Pod>;

export interface StagedRequest {
  readonly assignment: Assignment;
  /** Of its build, as it was told. */
  readonly number: string;
  /** The last WORK_DATA. */
  readonly data: { node_labels?: string[]; number: string };
  /** All results that it got: one in the end, "none" where Zuul is to run the build again. */
  readonly answers: readonly string[];
  readonly hasSlot: boolean;
  /** Its link is cut. */
  lose(): Promise<void>;
  /** Its client has gone. */
  leave(): Promise<void>;
  /** It was taken without a place, and now has one. */
  giveTurn(): Promise<void>;
}

export interface RequestPlan {
  unique?: string;
  /** Zuul's launch of it: each has a unique of its own. */
  launch?: number;
  /** Beside what Zuul always sends. */
  parameters?: object;
  payload?: string;
  functionName?: string;
  server?: string;
  /** Under which its server hands it out. */
  handle?: string;
  /** It waits in line for a place. */
  inLine?: boolean;
  /** Its server queues again what a connection leaves. */
  isQueuedAgain?: boolean;
}

/**
 * The builds of the replica "me" over a cluster of one namespace that does as the API server does: a name is taken once, a write that names a
 * request holds for that alone. Its pods are what a test says; its cache can be made to lag.
 */
export function stageBuilds() {
  const clock = makeManualClock();
  const world = {
    isHolder: true,
    alive: new Set(["other"]),
    chance: "open" as Chance,
    handsOutAgain: true,
    /** Of what pods say, once it is known. */
    masker: undefined as Masker | undefined,
    tasks: new Map<string, TestTask>([["build:unit", makeTask({}, { uid: "uid-unit" })]]),
    /** Of functions whose stored TestTask breaks newer rules. */
    refusals: new Map<string, RefusedFunction>(),
    /** Instead of what the API server would do with a new Job. */
    creation: undefined as ((job: Job) => Promise<JobCreated | undefined>) | undefined,
    /** The API server does not answer what ends pods, writes to Jobs or reads of one, for now. */
    isEndingAway: false,
    isWritingAway: false,
    isReadingAway: false,
    events: [] as KubeEvent[],
    /** What the code meets the next time that a verdict is told. */
    defect: undefined as Error | undefined,
    /** Answers are read only once this is. */
    reading: undefined as Promise<void> | undefined,
  };
  const jobs = new Map<string, Job>();
  const pods = new Map<string, Pod>();
  let lagging: Map<string, Job> | undefined;
  let laggingPods: Map<string, Pod> | undefined;
  const told: string[] = [];
  const logged: { message: string; fields: object }[] = [];
  const makeLogger = (bound: object): Logger => {
    const log = (fields: object, message: string) => void logged.push({ message, fields: { ...bound, ...fields } });
    return { ...silentLogger, info: log, warn: log, error: log, child: (more) => makeLogger({ ...bound, ...more }) };
  };
  const logger = makeLogger({});
  const deeds: string[] = [];
  /** Whether the answer of each build that is over was read. */
  const answers: boolean[] = [];
  /** Jobs, and pods of Jobs, that were read past the cache. */
  const reads: string[] = [];
  /** There is one namespace. */
  const at = <T>(namespace: string, found: T | undefined) => (namespace === "ci" ? found : undefined);
  let made = 0;
  let looks = 0;
  const put = (job: Job) => {
    jobs.set(job.metadata.name, job);
    if (!lagging) builds.wake("ci", job.metadata.name);
  };
  const cluster: BuildCluster = {
    now: () => clock.now(),
    async createJob(job) {
      const instead = await world.creation?.(job);
      if (instead) return instead;
      if (jobs.has(job.metadata.name)) return { kind: "exists" };
      made += 1;
      const creationTimestamp = new Date(clock.now().getTime() + made).toISOString();
      const stored = { ...job, metadata: { ...job.metadata, uid: `uid-${made}`, creationTimestamp } };
      put(stored);
      return { kind: "created", job: stored };
    },
    async getJob(namespace, name) {
      if (world.isReadingAway) throw AWAY;
      reads.push(name);
      return at(namespace, jobs.get(name));
    },
    async readPods(namespace, name) {
      reads.push(`pods of ${name}`);
      return [at(namespace, pods.get(name)) ?? []].flat();
    },
    async annotateJob(namespace, name, added, { request, uid, ttlSecondsAfterFinished } = {}) {
      if (world.isWritingAway) throw AWAY;
      const job = at(namespace, jobs.get(name));
      if (!job || (uid !== undefined && job.metadata.uid !== uid)) return true;
      const annotations = job.metadata.annotations ?? {};
      if (request !== undefined && annotations["turbo-hipster.io/request"] !== request) return false;
      const metadata = { ...job.metadata, annotations: { ...annotations, ...added } };
      put({
        ...job,
        metadata,
        spec: { ...job.spec, ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }) },
      } as Job);
      return true;
    },
    async deleteJob(namespace, name, uid) {
      if (at(namespace, jobs.get(name))?.metadata.uid !== uid) return;
      deeds.push(`delete ${name}`);
      stage.remove(name);
    },
    async endPod(namespace, podName) {
      if (world.isEndingAway) throw AWAY;
      assert.equal(namespace, "ci");
      deeds.push(`end ${podName}`);
      for (const [name, pod] of pods) {
        if (pod.metadata.name !== podName) continue;
        pods.set(name, { ...pod, spec: { containers: [], ...pod.spec, activeDeadlineSeconds: 1 } });
        builds.wake("ci", name);
      }
    },
    async deletePod(namespace, podName, uid) {
      assert.equal(namespace, "ci");
      for (const [name, { metadata }] of pods) {
        if (metadata.name !== podName || metadata.uid !== uid) continue;
        deeds.push(`delete pod ${podName}`);
        pods.delete(name);
        builds.wake("ci", name);
      }
    },
    cachedJob(namespace, name) {
      looks += 1;
      assert.ok(looks < MAX_LOOKS, "looks at the cache again and again");
      return at(namespace, (lagging ?? jobs).get(name));
    },
    cachedPods: (namespace, name) => [at(namespace, (laggingPods ?? pods).get(name)) ?? []].flat(),
    cachedJobs: () => (lagging ?? jobs).values(),
    cachedJobsOf: (relaunchKey) =>
      [...(lagging ?? jobs).values()].filter(({ metadata: { annotations } }) =>
        isSameRelaunch(annotations?.[RELAUNCH_ANNOTATION] ?? "", relaunchKey),
      ),
    killOf: () => undefined,
    readEvents: async () => world.events,
  };
  /** How often a build has begun to wait for a place, or to wait no more while others do. */
  const begun = { count: 0 };
  const onPending = (pending: number) => {
    if (pending > 0) begun.count += 1;
  };
  const tallies = new Tallies({ onActivity() {}, onPending });
  const occupied = { count: 0 };
  const builds = new Builds({
    ...{ cluster, clock, tallies, logger },
    tasks: {
      find: (functionName) => world.tasks.get(functionName),
      occupy() {
        occupied.count += 1;
        const release = () => {
          occupied.count -= 1;
        };
        return { release };
      },
      mayBegin: () => true,
      count: (_taskKey, slot) => slot,
      refusalOf: (functionName) => world.refusals.get(functionName),
      noteRefusal: (taskKey, why) => void told.push(`${taskKey} refused: ${why}`),
      noteWaiting: (taskKey, why) => void told.push(`${taskKey} waits: ${why}`),
      noteVerdict(taskKey, verdict) {
        const { defect } = world;
        world.defect = undefined;
        if (defect) throw defect;
        told.push(`${taskKey} ${verdict.rule}`);
      },
    },
    servers: { chance: () => world.chance, reclaim() {}, handsOutAgain: () => world.handsOutAgain },
    stored: { urlOf: () => undefined, maskerOf: () => world.masker },
    keptJobs: { giveWay: (namespace, number) => void told.push(`${namespace} gives way to ${number}`) },
    replicas: {
      name: "me",
      get isHolder() {
        return world.isHolder;
      },
      isAlive: (replica) => replica === "me" || world.alive.has(replica),
    },
    observer: { noteVerdict() {}, notePhase() {}, noteAnswer: (isDelivered) => void answers.push(isDelivered) },
    settings: {
      manifest: { installation: "i", image: "i", internalUrl: "http://operator:8081", checkout: { allowedUrls: [] } },
      worker: WORKER,
      buildUrl: (number) => `http://b/${number}`,
      resultStyle: "text",
      keepJobSeconds: 60,
    },
  });

  async function settle(): Promise<void> {
    looks = 0;
    for (let turn = 0; turn < 6; turn += 1) await immediate();
  }

  const stage = {
    ...{ builds, world, jobs, told, logged, deeds, answers, reads, tallies, begun, occupied, clock, settle },
    /** Lets time pass. */
    async pass(ms: number): Promise<void> {
      await settle();
      for (let leftMs = ms; leftMs > 0; leftMs -= STEP_MS) {
        clock.skip(Math.min(leftMs, STEP_MS));
        await settle();
      }
    },
    /** Zuul's request for a build of `change`, or another client's that sends `payload`. */
    async request(change = "a", plan: RequestPlan = {}): Promise<StagedRequest> {
      const { launch = 1, unique = `${change}-${launch}`, inLine = false, isQueuedAgain = false } = plan;
      const { functionName = "build:unit", server = "s:1", handle = "H:1" } = plan;
      const hex = Buffer.from(change.padEnd(16, "0")).toString("hex");
      const launched = { ZUUL_UUID: unique, LOG_PATH: `${change}/${launch}` };
      const text = plan.payload ?? JSON.stringify({ ZUUL_REF: `refs/zuul/master/Z${hex}`, ...launched, ...plan.parameters });
      const [lost, clientGone] = [new AbortController(), new AbortController()];
      const answers: string[] = [];
      let data = { number: "" };
      let listener: ((slot: { release(): void }) => void) | undefined;
      const state = { hasSlot: !inLine };
      const release = () => {
        state.hasSlot = false;
      };
      const onTurn = (listen: NonNullable<typeof listener>) => {
        listener = listen;
      };
      const end = async (answer: string) => {
        if (lost.signal.aborted || answers.length > 0) return lost.signal.aborted ? "lost" : "delivered";
        await world.reading;
        if (lost.signal.aborted) return "lost";
        answers.push(answer);
        return "delivered";
      };
      const payload = Buffer.from(text);
      const assignment: Assignment = {
        ...{ server, handle, functionName, unique, payload, payloadBytes: payload.length },
        ...{ lost: lost.signal, clientGone: clientGone.signal },
        slot: { release, ...(inLine ? { onTurn } : {}) },
        sendData(json) {
          data = JSON.parse(json);
        },
        sendStatus() {},
        complete: (json) => end(JSON.parse(json).result),
        fail: () => end("none"),
        handBack() {
          if (isQueuedAgain) queueMicrotask(() => lost.abort());
          return isQueuedAgain;
        },
      };
      builds.assign(assignment);
      await settle();
      return {
        ...{ assignment, answers },
        get number() {
          return data.number;
        },
        get data() {
          return data;
        },
        get hasSlot() {
          return state.hasSlot;
        },
        async lose() {
          lost.abort();
          await settle();
        },
        async leave() {
          clientGone.abort();
          await settle();
        },
        async giveTurn() {
          state.hasSlot = true;
          listener?.({ release });
          await settle();
        },
      };
    },
    /** The pod of this Job looks like that from now on. */
    async play(jobName: string, state: keyof typeof PODS | Pod): Promise<void> {
      assert.ok(jobs.has(jobName), `no Job ${jobName} among ${[...jobs.keys()]}`);
      const before = pods.get(jobName)?.spec?.activeDeadlineSeconds;
      const { metadata, spec, status } = typeof state === "string" ? PODS[state] : state;
      const containers = spec?.containers ?? [];
      const pod = {
        metadata: { ...metadata, name: `${jobName}-pod`, uid: `pod-${jobName}` },
        spec: { ...spec, containers },
        status,
      } as Pod;
      if (before === 1 && pod.spec) pod.spec.activeDeadlineSeconds = 1;
      pods.set(jobName, pod);
      builds.wake("ci", jobName);
      await settle();
    },
    /** A person's hand, or another replica's. */
    async edit(jobName: string, annotations: Record<string, string>, metadata: Partial<Job["metadata"]> = {}): Promise<void> {
      const job = jobs.get(jobName);
      assert.ok(job);
      put({ ...job, metadata: { ...job.metadata, ...metadata, annotations: { ...job.metadata.annotations, ...annotations } } });
      await settle();
    },
    /** What the Job controller, or whoever suspends Jobs, writes. */
    async change(jobName: string, { spec, status }: Pick<Partial<Job>, "status"> & { spec?: Partial<Job["spec"]> }): Promise<void> {
      const job = jobs.get(jobName);
      assert.ok(job);
      put({ ...job, spec: { ...job.spec, ...spec }, ...(status ? { status } : {}) } as Job);
      await settle();
    },
    removePod(jobName: string): void {
      pods.delete(jobName);
      builds.wake("ci", jobName);
    },
    remove(jobName: string): void {
      jobs.delete(jobName);
      pods.delete(jobName);
      if (!lagging) builds.wake("ci", jobName);
    },
    put,
    /** The cache shows nothing new from now on, or all again. */
    lag(isLagging: boolean): void {
      lagging = isLagging ? new Map(jobs) : undefined;
    },
    /** The same of its pods. */
    lagPods(isLagging: boolean): void {
      laggingPods = isLagging ? new Map(pods) : undefined;
    },
    /** What the Job says of its build. */
    record(jobName: string) {
      const job = jobs.get(jobName);
      assert.ok(job, `no Job ${jobName} among ${[...jobs.keys()]}`);
      return readJobRecord(job) ?? assert.fail(`${jobName} says too little`);
    },
    /** Zuul's stop of a build. */
    async stop(number: string): Promise<void> {
      builds.requestStop(Buffer.from(JSON.stringify({ name: "unit", number })));
      await settle();
    },
    async [Symbol.asyncDispose]() {
      await builds.stop();
      assert.equal(clock.pending, 0, "timers are left");
    },
  };
  return stage;
}

/** The same, begun while nothing is there. */
export async function startBuilds(): Promise<StagedBuilds> {
  const stage = stageBuilds();
  await stage.builds.start();
  return stage;
}

export type StagedBuilds = ReturnType<typeof stageBuilds>;
