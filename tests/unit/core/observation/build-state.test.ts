import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Condition, Job, Pod } from "../../../../src/core/kubernetes/objects.ts";
import { type BuildState, hasEnded, hasStarted, hasTestBegun, isJobOver } from "../../../../src/core/observation/build-state.ts";
import type { PodFacts } from "../../../../src/core/observation/pod-facts.ts";
import { makeJob, makePod, observe, running, service, terminated, UNSCHEDULED, waiting } from "../../../support/objects/build-objects.ts";

const DELETED = { deletionTimestamp: "2026-01-01T00:00:20Z" };
const SUSPENDED = makeJob({ spec: { suspend: true } });
const ended = (type: string, status: Condition["status"] = "True", more: object = {}) =>
  makeJob({ status: { conditions: [{ type, status, ...more }] } });
const preparing = (...statuses: ReturnType<typeof waiting>[]) => makePod({ status: { phase: "Pending", containerStatuses: statuses } });
const ofJob = (uid: string) => makePod({ metadata: { labels: { "batch.kubernetes.io/controller-uid": uid } } });
/** As a kubelet may leave them out. */
const UNSAID = {
  spec: { initContainers: [{ name: "db", restartPolicy: "Always" }, { name: "setup" }] },
  status: { phase: "Pending", containerStatuses: [{ name: "test" }], initContainerStatuses: [{ name: "db" }, { name: "setup" }] },
};
const FAILED_INIT = { initContainerStatuses: [terminated("setup", 1)], containerStatuses: [waiting("test", "PodInitializing")] };

describe("where a build stands", () => {
  const rows: [seen: string, job: Job | undefined, pods: Pod[], kind: BuildState["kind"], reason?: string][] = [
    ["no Job", undefined, [makePod()], "absent"],
    ["a Job", makeJob(), [], "queued"],
    ["a suspended Job", SUSPENDED, [], "suspended"],
    ["a suspended Job whose pod prepares", SUSPENDED, [preparing(waiting("test", "ErrImagePull"))], "suspended"],
    ["a suspended Job whose pod is over", SUSPENDED, [makePod({ status: { phase: "Failed", containerStatuses: [] } })], "lost"],
    ["a deleted Job", makeJob({ metadata: DELETED }), [], "lost", "the Job was deleted"],
    ["a failed Job", ended("Failed", "True", { message: "why", reason: "r" }), [], "lost", "why"],
    ["a failed Job that gives a reason", ended("Failed", "True", { reason: "BackoffLimitExceeded" }), [], "lost", "BackoffLimitExceeded"],
    ["a complete Job", ended("Complete"), [], "lost", "the Job ended and its pod is gone"],
    ["a Job that may fail yet", ended("Failed", "False"), [], "queued"],
    ["a Job that fails", ended("FailureTarget"), [], "queued"],
    ["a pod without a node", makeJob(), [makePod(UNSCHEDULED)], "unscheduled", "waits for a node"],
    ["a pod with a node", makeJob(), [preparing()], "preparing", "starting"],
    ["a Job without a spec", { ...makeJob(), spec: undefined as never }, [], "queued"],
    ["a test of a Job without a spec", { ...makeJob(), spec: undefined as never }, [makePod()], "running"],
    ["a test of a Job without a uid", makeJob({ metadata: { uid: undefined as never } }), [ofJob("another")], "running"],
    ["a test of this very Job", makeJob(), [ofJob("job-uid")], "running"],
    ["a pod without node and status", makeJob(), [{ ...makePod(UNSCHEDULED), status: undefined as never }], "unscheduled"],
    ["containers that nothing is said of", makeJob(), [makePod(UNSAID)], "preparing", "starting"],
    [
      "an init container that failed and is in no spec",
      makeJob(),
      [makePod({ status: { ...FAILED_INIT, phase: "Pending" } })],
      "not-started",
    ],
    ["a pod without a status", makeJob(), [{ ...makePod(), status: undefined as never }], "preparing", "starting"],
    ["a test that runs", makeJob(), [makePod()], "running"],
    ["a test that has ended", makeJob(), [makePod({ status: { containerStatuses: [terminated("test", 1)] } })], "exited"],
    ["a deleted pod", makeJob(), [makePod({ metadata: DELETED })], "lost", "the pod was deleted"],
    [
      "a pod that is over",
      makeJob(),
      [makePod({ status: { phase: "Failed", message: "m", reason: "r", containerStatuses: [] } })],
      "lost",
      "m",
    ],
    ["one with a reason", makeJob(), [makePod({ status: { phase: "Failed", reason: "r", containerStatuses: [] } })], "lost", "r"],
    [
      "one that says nothing",
      makeJob(),
      [makePod({ status: { phase: "Succeeded", containerStatuses: [] } })],
      "lost",
      "the pod ended Succeeded without its test's exit code",
    ],
  ];
  for (const [seen, job, pods, kind, reason] of rows) {
    test(`${seen}: ${kind}`, () => {
      const state = observe(job, pods);
      assert.equal(state.kind, kind);
      if (reason !== undefined) assert.equal("reason" in state && state.reason, reason);
    });
  }

  test("is told by the newest of several pods, in whatever order they come", () => {
    const pods = [
      makePod({
        metadata: { name: "old", creationTimestamp: "2026-01-01T00:00:00Z" },
        status: { containerStatuses: [terminated("test", 1)] },
      }),
      makePod({ metadata: { name: "new", creationTimestamp: "2026-01-01T00:00:01Z" } }),
    ];
    for (const order of [pods, [...pods].reverse()]) {
      const state = observe(makeJob(), order);
      assert.equal("pod" in state && state.pod?.name, "new");
    }
  });

  test("is what the scheduler says, its reason where it gives no message", () => {
    const words = (condition: object) => {
      const conditions: Condition[] = [
        { type: "Ready", status: "False", message: "not this" },
        { type: "PodScheduled", status: "False", ...condition },
      ];
      const state = observe(makeJob(), [makePod({ ...UNSCHEDULED, status: { ...UNSCHEDULED.status, conditions } })]);
      return state.kind === "unscheduled" && [state.reason, state.words];
    };
    assert.deepEqual(words({ message: "0/1 nodes", reason: "Unschedulable" }), ["0/1 nodes", "0/1 nodes"]);
    assert.deepEqual(words({ reason: "SchedulingGated" }), ["SchedulingGated", "SchedulingGated"]);
    assert.deepEqual(words({}), ["waits for a node", undefined]);
  });

  test("is what its containers wait for, init containers first, and which of those runs", () => {
    const pod = makePod({
      spec: { initContainers: [{ name: "db", restartPolicy: "Always" }, { name: "setup" }] },
      status: {
        phase: "Pending",
        initContainerStatuses: [running("db"), running("setup"), waiting("later", "PodInitializing")],
        containerStatuses: [waiting("test", "PodInitializing"), waiting("web", "ErrImagePull", "why")],
      },
    });
    const state = observe(makeJob(), [pod]);
    assert.ok(state.kind === "preparing");
    assert.deepEqual(state.waiting, [{ container: "web", isInjected: true, reason: "ErrImagePull", message: "why" }]);
    assert.deepEqual([state.reason, state.since, state.init], ["ErrImagePull", "2026-01-01T00:00:00Z", "setup"]);
    const silent = observe(makeJob(), [preparing({ name: "test", state: { waiting: { reason: "ContainerCreating" } } })]);
    assert.deepEqual(silent.kind === "preparing" && silent.waiting.map(({ message, isInjected }) => [message, isInjected]), [["", false]]);
  });
});

describe("what is asked of a state", () => {
  const over = makePod({ status: { phase: "Failed", startTime: undefined as never, containerStatuses: [] } });
  const taken = preparing();
  const untaken = makePod({ status: { phase: "Pending", startTime: undefined as never, containerStatuses: [] } });
  const rows: [string, BuildState, hasBegun: boolean, isEnded: boolean, isStarted: boolean][] = [
    ["no Job", observe(undefined, []), false, false, true],
    ["a Job", observe(makeJob(), []), false, false, false],
    ["a suspended Job", observe(SUSPENDED, []), false, false, false],
    ["a pod that no kubelet has", observe(makeJob(), [untaken]), false, false, false],
    ["a pod that one has", observe(makeJob(), [taken]), false, false, true],
    ["a running test", observe(makeJob(), [makePod()]), true, false, true],
    ["an ended one", observe(makeJob(), [makePod({ status: { containerStatuses: [terminated("test", 0)] } })]), true, true, true],
    ["a pod that was refused", observe(makeJob(), [over]), false, true, true],
    ["a failed init container", observe(makeJob(), [makePod({ status: FAILED_INIT })]), false, true, true],
    ["a Job that ended without a pod", observe(ended("Failed"), []), false, false, true],
  ];
  for (const [name, state, hasBegun, isEnded, isStarted] of rows) {
    test(`${name}: begun ${hasBegun}, ended ${isEnded}, started ${isStarted}`, () => {
      assert.deepEqual([hasTestBegun(state), hasEnded(state), hasStarted(state)], [hasBegun, isEnded, isStarted]);
    });
  }

  test("a Job is over when its controller says so", () => {
    const jobs = [
      ended("Failed"),
      ended("Complete"),
      ended("Complete", "False"),
      ended("SuccessCriteriaMet"),
      makeJob(),
      makeJob({ status: {} }),
    ];
    assert.deepEqual(jobs.map(isJobOver), [true, true, false, false, false, false]);
  });
});

function factsOf(changes: Parameters<typeof makePod>[0]): PodFacts {
  const state = observe(makeJob(), [makePod(changes)], undefined);
  assert.ok("pod" in state && state.pod, state.kind);
  return state.pod;
}

describe("what is seen of a pod", () => {
  test("is where it is, how long it gets, and what its containers may use", () => {
    const memory = (limit: string) => ({ resources: { limits: { memory: limit } } });
    const facts = factsOf({
      spec: {
        ...{ ...memory("4Gi"), terminationGracePeriodSeconds: 45 },
        containers: [{ name: "test", ...memory("1Gi") }, { name: "web" }],
        initContainers: [{ name: "setup", ...memory("2Gi") }],
      },
      metadata: { uid: "u" },
    });
    assert.deepEqual(
      [facts.uid, facts.node, facts.isStarted, facts.graceMs, facts.memoryLimits],
      ["u", "node-1", true, 45_000, { test: "1Gi", web: "4Gi", setup: "2Gi" }],
    );
    assert.deepEqual([factsOf({}).graceMs, factsOf({}).memoryLimits], [30_000, {}]);
    assert.deepEqual(factsOf({ spec: memory("4Gi") }).memoryLimits, { test: "4Gi" });
    assert.deepEqual(factsOf({ spec: { resources: {}, containers: [{ name: "test", resources: {} }] } }).memoryLimits, {});
  });

  test("is when a node was chosen for it", () => {
    const condition = (type: string, status: Condition["status"], second: number) => ({
      ...{ type, status },
      lastTransitionTime: `2026-01-01T00:00:0${second}Z`,
    });
    const of = (...conditions: Condition[]) => factsOf({ status: { conditions } }).scheduledAt;
    assert.equal(of(condition("Ready", "True", 5), condition("PodScheduled", "True", 2)), "2026-01-01T00:00:02Z");
    assert.equal(of(condition("PodScheduled", "False", 2), condition("Ready", "True", 5)), undefined);
  });

  test("is when its kubelet ends it by itself: from when it took it, unless it was told to end", () => {
    const of = (activeDeadlineSeconds: number | undefined) =>
      factsOf({ spec: { activeDeadlineSeconds: activeDeadlineSeconds as never } }).deadlineAtMs;
    assert.deepEqual([of(60), of(1), of(undefined)], [Date.parse("2026-01-01T00:01:00Z"), undefined, undefined]);
  });

  test("is how long after its test's end its kubelet took note, where that is known", () => {
    // Taken at second 0, the test ended at second 11.
    const of = (second: number, end: object = {}) => {
      const at = (type: string, time: number): Condition => ({
        ...{ type, status: "False" },
        lastTransitionTime: `2026-01-01T00:00:${time}Z`,
      });
      const conditions = [at("Ready", 59), at("ContainersReady", second)];
      return factsOf({ status: { conditions, containerStatuses: [terminated("test", 1, end)] } }).unseenMs;
    };
    assert.deepEqual([of(31), of(11), of(10)], [20_000, 0, undefined]);
    assert.equal(of(20, { finishedAt: "2026-01-01T00:00:00Z" }), 20_000, "as soon as it was taken");
    assert.equal(of(20, { finishedAt: "1970-01-01T00:00:00Z" }), undefined, "never begun");
  });

  test("is whether its containers were started again, all of them or unseen", () => {
    const restarting = (status: Condition["status"]) =>
      factsOf({ status: { conditions: [{ type: "AllContainersRestarting", status }] } }).restarted;
    assert.deepEqual([restarting("True"), restarting("False")], ["all containers of its pod were started again", undefined]);
    const after = (lastState: object, restartCount: number) =>
      factsOf({ status: { containerStatuses: [{ ...running("test"), lastState, restartCount }] } }).restarted;
    const end = (reason: string) => ({ terminated: { exitCode: 1, reason } });
    assert.equal(after(end("RestartingAllContainers"), 1), "all containers of its pod were started again");
    assert.deepEqual([after({}, 0), after(end("Error"), 1)], [undefined, undefined]);
    assert.match(after(end("Error"), 2) ?? "", /^container test was started again, and how it ended at first was not seen$/);
  });

  test("is whether anything was begun, and runs on", () => {
    const unsaid = factsOf({ status: { containerStatuses: undefined as never } });
    assert.deepEqual([unsaid.hasContainerStatuses, unsaid.isUnended, factsOf({}).hasContainerStatuses], [false, true, true]);
    assert.deepEqual(
      ["Succeeded", "Failed", "Running"].map((phase) => factsOf({ status: { phase } }).isUnended),
      [false, false, true],
    );
  });

  test("is whether it was told to end, whatever stands there", () => {
    const rows: [number | undefined, boolean][] = [
      [1, true],
      [0, true],
      [2, false],
      [undefined, false],
    ];
    for (const [activeDeadlineSeconds, isEnding] of rows) {
      assert.equal(factsOf({ spec: { activeDeadlineSeconds: activeDeadlineSeconds as never } }).isEnding, isEnding);
    }
  });

  test("is a disruption only where it stands, with the words that it has", () => {
    const of = (condition: object) =>
      factsOf({ status: { conditions: [{ type: "DisruptionTarget", status: "True", ...condition }] } }).disruption;
    assert.deepEqual(of({ reason: "r", message: "m" }), { reason: "r", message: "m" });
    assert.deepEqual(of({ reason: "r" }), { reason: "r", message: "r" });
    assert.deepEqual(of({}), { reason: "", message: "no reason given" });
    assert.equal(of({ status: "False" }), undefined);
    assert.equal(of({ type: "Ready" }), undefined);
  });
});

describe("a service", () => {
  const of = (statuses: ReturnType<typeof service>[], test = running("test"), ...before: ReturnType<typeof service>[]) => {
    const initContainers = [{ name: "db", restartPolicy: "Always" }, { name: "setup" }, { name: "cache", restartPolicy: "Always" }];
    const { services, stuckService } = factsOf({
      spec: { initContainers },
      status: { phase: "Pending", containerStatuses: [...before, test], initContainerStatuses: statuses },
    });
    return { ended: services.map(({ name, terminated: end }) => `${name} ${end.exitCode}`), stuckService };
  };
  const next = waiting("test", "PodInitializing");
  const end = (exitCode: number, finishedAt?: string) => ({ terminated: { exitCode, ...(finishedAt ? { finishedAt } : {}) } });

  test("is waited for from when it began until it is started, the last one of several", () => {
    assert.equal(of([service("db", { started: false })], next).stuckService, "db");
    assert.equal(of([service("db")], next).stuckService, undefined);
    assert.equal(of([service("db"), service("cache", { started: false })], next).stuckService, "cache");
    assert.equal(of([service("db", { started: false }), waiting("cache", "PodInitializing")], next).stuckService, "db");
    assert.equal(
      of([service("db", { started: false, state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: end(1) })], next).stuckService,
      "db",
    );
    assert.equal(of([service("db", { started: false, state: end(1) })], next).stuckService, "db");
    assert.equal(of([service("db"), { ...running("setup"), started: false }], next).stuckService, undefined, "an init container is none");
    assert.equal(of([], next).stuckService, undefined);
  });

  test("has ended before the test did where its times say so, or that it was started again", () => {
    // The test ran from second 1 to second 11.
    const exited = terminated("test", 1);
    const rows: [string, Partial<ReturnType<typeof service>>, string[]][] = [
      ["it runs", {}, []],
      ["it ended in the test's time", { state: end(2, "2026-01-01T00:00:10Z") }, ["db 2"]],
      ["it ended with the test", { state: end(2, "2026-01-01T00:00:11Z") }, []],
      ["it ended after the test", { state: end(2, "2026-01-01T00:00:12Z") }, []],
      ["it was started again, when is not known", { lastState: end(3) }, ["db 3"]],
      ["it was started again before the test began", { lastState: end(3, "2026-01-01T00:00:00Z") }, []],
      ["it was started again as the test began", { lastState: end(3, "2026-01-01T00:00:01Z") }, ["db 3"]],
      ["it was started again as the test ended", { lastState: end(3, "2026-01-01T00:00:11Z") }, ["db 3"]],
      ["it was started again after the test", { lastState: end(3, "2026-01-01T00:00:12Z") }, []],
      ["it ended again in the test's time", { state: end(2, "2026-01-01T00:00:10Z"), lastState: end(3, "2026-01-01T00:00:00Z") }, ["db 2"]],
    ];
    for (const [name, status, expected] of rows) assert.deepEqual(of([service("db", status)], exited).ended, expected, name);
    assert.deepEqual(of([{ ...running("setup"), lastState: end(1) }], exited).ended, [], "an init container is none");
    const web = terminated("web", 0, { finishedAt: "2026-01-01T00:00:05Z" });
    const inTime = service("db", { state: end(2, "2026-01-01T00:00:10Z") });
    assert.deepEqual(of([inTime], exited, web).ended, ["db 2"], "the test's times count, no other container's");
    assert.deepEqual(of([{ name: "db" }], { name: "test" }), { ended: [], stuckService: undefined }, "nothing is said");
  });

  test("of a test that runs, or has not begun, has ended where it was started again since", () => {
    assert.deepEqual(of([service("db", { lastState: end(3, "2026-01-01T00:00:00Z") })]).ended, [], "before the test began");
    assert.deepEqual(of([service("db", { lastState: end(3, "2026-01-01T00:00:02Z") })]).ended, ["db 3"]);
    assert.deepEqual(of([service("db", { lastState: end(3, "2026-01-01T00:00:02Z") })], next).ended, ["db 3"]);
  });
});
