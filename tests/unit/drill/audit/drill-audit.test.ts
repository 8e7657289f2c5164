import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { auditReport, type DrillCounts, isPassed, renderLastLine } from "../../../drill/audit/drill-audit.ts";
import type { BuildEntry, JobEntry, PodEntry, ReportEntry, RunEntry } from "../../../drill/audit/drill-report.ts";
import { type BuildPlan, planBuild } from "../../../drill/build-plan.ts";

const RUN: RunEntry = { type: "run", atMs: 0, date: "2026-01-01T00:00:00Z", seed: 1, from: 0, faults: 10, replicas: 2 };
const OVER: ReportEntry = { type: "over", atMs: 900, troubles: [] };
const SUCCESS = { result: "SUCCESS", class: "success", rule: "exit-0" };
const ABORTED = { result: "ABORTED", class: "cancelled", rule: "stopped" };
const TIMED_OUT = { result: "TIMED_OUT", class: "failure", rule: "run-timeout" };
const GIVEN_BACK = { result: null, class: "infrastructure", rule: "pod-lost" };

function plan(changes: Partial<BuildPlan> = {}): BuildPlan {
  const change = { kind: "change", number: 1, ref: `Z${"0".repeat(32)}` } as const;
  return { ...planBuild(1, 0), item: change, exitCode: 0, text: "drill 0 passed", result: "SUCCESS", cancelAfterMs: null, ...changes };
}

const TIMER = plan({ item: { kind: "timer" } });
const CANCELLED = plan({ cancelAfterMs: 5 });

function build(changes: Partial<BuildEntry> = {}): BuildEntry {
  const launches = [{ uuid: "u1", isSubmitted: true, number: "n1", result: "SUCCESS", retry: false }];
  return { type: "build", atMs: 500, plan: plan(), launchedAtMs: 1, launches, result: "SUCCESS", isCancelled: false, ...changes };
}

function job(name: string, changes: Partial<JobEntry> = {}): JobEntry {
  const { id } = plan();
  return { type: "job", atMs: 1, name, build: id, verdict: SUCCESS, isCancelled: false, isDelivered: true, isDeleted: false, ...changes };
}

/** The pod of Job `n<number>`, made as the `number`th. */
function pod(number: number, changes: Partial<PodEntry> = {}): PodEntry {
  return {
    ...{ type: "pod", atMs: 1, name: `p${number}`, job: `n${number}`, build: plan().id, uuid: `u${number}`, hasStarted: true },
    ...{ createdAt: `2026-01-01T00:00:0${number}Z`, phase: "Succeeded", exitCode: 0, message: "drill 0 passed\n", isDeleted: false },
    trace: [`started ${plan().id} u${number}`, "ended 0"],
    ...changes,
  };
}

/** Not there any more before its test's end. */
const CUT_SHORT = { exitCode: 137, message: null, phase: "Failed", trace: ["started"] };

const NODE_RESET: ReportEntry = {
  ...{ type: "fault", atMs: 9, outcome: "reset" },
  fault: { kind: "node-reset", downMs: 1, index: 0, atMs: 1 },
};
const KUBELET_KILLED: ReportEntry = {
  ...{ type: "fault", atMs: 9, outcome: "killed" },
  fault: { kind: "kubelet-down", how: "killed", forMs: 1, index: 0, atMs: 1 },
};
const CLOCK_JUMP: ReportEntry = {
  ...{ type: "fault", atMs: 9, outcome: "jumped" },
  fault: { kind: "clock-jumped", replica: 0, byMs: 7_000_000, forMs: 10_000, index: 0, atMs: 1 },
};

function podDeletion(name: string): ReportEntry {
  return { type: "fault", atMs: 1, fault: { kind: "pod-deleted", pick: 0, index: 0, atMs: 1 }, outcome: `pod ${name}` };
}

function audit(...entries: ReportEntry[]) {
  return auditReport([RUN, ...entries.map((entry) => withLog(entry, entries)), OVER]);
}

/** Stored as it was printed, unless a test says something else. */
function withLog(entry: ReportEntry, entries: readonly ReportEntry[]): ReportEntry {
  if (entry.type !== "job" || "stored" in entry) return entry;
  const newest = entries.findLast((other): other is PodEntry => other.type === "pod" && other.job === entry.name);
  return { ...entry, stored: "a", log: newest?.trace };
}

/** The columns that are not 0. */
function seen(...entries: ReportEntry[]): Partial<DrillCounts> {
  return Object.fromEntries(Object.entries(audit(...entries).counts).filter(([, count]) => count !== 0));
}

describe("the audit of a drill", () => {
  test("passes a build whose one pod did what Zuul was told", () => {
    const passed = audit(build(), job("n1"), pod(1));
    assert.equal(isPassed(passed), true);
    assert.deepEqual(seen(build(), job("n1"), pod(1)), { builds: 1, pods: 1 });
    assert.equal(renderLastLine(passed.counts), "faults=0 builds=1 lost=0 wrong=0 hanging=0 rerun=0 refRerun=0 beyondAttempts=0");
  });

  const storedAs = (log: string[] | undefined) => job("n1", { stored: "a", log });
  const failures: [string, Partial<DrillCounts>, ReportEntry[]][] = [
    ["finds a build that Zuul still waits for", { builds: 1, pods: 1, hanging: 1 }, [build({ result: null }), job("n1"), pod(1)]],
    ["finds another result than the test's", { builds: 1, pods: 1, wrong: 1 }, [build({ result: "FAILURE" }), job("n1"), pod(1)]],
    ["finds a result that no pod had", { builds: 1, wrong: 1, unearned: 1 }, [build(), job("n1")]],
    [
      "finds a success of a test that exited 0 because it was ended",
      { builds: 1, pods: 1, wrong: 1, unearned: 1 },
      [build(), job("n1"), pod(1, { message: "", trace: ["started", "term"] })],
    ],
    ["finds a success of a pod that was cut short", { builds: 1, pods: 1, wrong: 1, unearned: 1 }, [build(), job("n1"), pod(1, CUT_SHORT)]],
    [
      "finds a build that the operator gave back too often for no reason of the drill's",
      { builds: 1, pods: 1, lost: 1, nulls: 1, unexplainedNulls: 1 },
      [build({ result: "RETRY_LIMIT" }), job("n1", { verdict: GIVEN_BACK }), pod(1, CUT_SHORT)],
    ],
    ["finds a pod beyond the first", { builds: 1, pods: 2, rerun: 1 }, [build(), job("n1"), job("n2"), pod(1), pod(2)]],
    [
      "finds a second pod of the same launch of a timer build",
      { builds: 1, pods: 2, rerun: 1 },
      [build({ plan: TIMER }), job("n1"), pod(1), pod(2, { job: "n1", uuid: "u1" })],
    ],
    [
      "finds a second pod while the first one's verdict is not written down",
      { builds: 1, pods: 2, rerun: 1, unjudged: 1 },
      [build(), job("n1", { verdict: null }), job("n2"), pod(1), pod(2)],
    ],
    [
      "finds a null verdict while a clock was set, though the next pod made it good",
      { builds: 1, pods: 2, nulls: 1, unexplainedNulls: 1, faults: 1 },
      [CLOCK_JUMP, build(), job("n1", { verdict: GIVEN_BACK }), job("n2"), pod(1, CUT_SHORT), pod(2)],
    ],
    [
      "finds a limit of ten minutes that is over too soon, even where the node was reset and the pod deleted",
      { builds: 1, pods: 2, nulls: 1, unexplainedNulls: 1, faults: 2 },
      [
        NODE_RESET,
        podDeletion("p1"),
        build(),
        job("n1", { verdict: { ...GIVEN_BACK, rule: "pull-timeout" } }),
        job("n2"),
        pod(1, CUT_SHORT),
        pod(2),
      ],
    ],
    [
      "finds a test that was not given its time, though Zuul has never heard of it",
      { builds: 1, pods: 1, beyondAttempts: 1, unearned: 1 },
      [build({ result: "RETRY_LIMIT" }), job("n1", { verdict: TIMED_OUT }), pod(1, CUT_SHORT)],
    ],
    [
      "finds a build that was stopped and nobody had asked for that",
      { builds: 1, pods: 2, unearned: 1 },
      [build(), job("n1", { verdict: ABORTED }), job("n2"), pod(1, CUT_SHORT), pod(2)],
    ],
    ["finds a log that is in no store", { builds: 1, pods: 1, unstored: 1 }, [build(), job("n1", { stored: undefined }), pod(1)]],
    ["finds a stored log without its end", { builds: 1, pods: 1, maimed: 1 }, [build(), storedAs([`started ${plan().id} u1`]), pod(1)]],
    ["finds a log whose file is not there", { builds: 1, pods: 1, maimed: 1 }, [build(), storedAs(undefined), pod(1)]],
    ["finds a pod that still runs", { builds: 1, pods: 1, orphans: 1 }, [build(), job("n1"), pod(1, { phase: "Running" })]],
  ];
  for (const [name, counts, entries] of failures) {
    test(name, () => {
      assert.deepEqual(seen(...entries), counts);
      assert.equal(isPassed(audit(...entries)), false);
    });
  }

  test("tells a failure with all that is known of the build", () => {
    const { problems } = audit(build(), job("n1"), job("n2"), pod(1), pod(2));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", /^rerun: pod p2 runs again what p1 ran\n {2}build 0/);
    for (const evidence of ['zuul {"uuid":"u1"', 'job {"type":"job","atMs":1,"name":"n1"', "pod "])
      assert.ok(problems[0]?.includes(evidence));
  });

  const passes: [string, Partial<DrillCounts>, ReportEntry[]][] = [
    [
      "takes a second pod after a null verdict for right",
      { builds: 1, pods: 2, nulls: 1, faults: 1 },
      [podDeletion("p1"), build(), job("n1", { verdict: GIVEN_BACK }), job("n2"), pod(1, CUT_SHORT), pod(2)],
    ],
    [
      "takes a second pod after a cancelled one for right",
      { builds: 1, pods: 2 },
      [build({ plan: CANCELLED }), job("n1", { isCancelled: true, verdict: ABORTED }), job("n2"), pod(1, CUT_SHORT), pod(2)],
    ],
    [
      "takes a second pod after one that the drill deleted for right, its verdict known or not",
      { builds: 1, pods: 2, faults: 1 },
      [podDeletion("p1"), build(), job("n1", { verdict: null }), job("n2"), pod(1, { ...CUT_SHORT, isDeleted: true }), pod(2)],
    ],
    [
      "counts a ref or timer build that Zuul launched again apart",
      { builds: 1, pods: 2, refRerun: 1 },
      [build({ plan: TIMER }), job("n1"), job("n2"), pod(1), pod(2)],
    ],
    [
      "takes no notice of a pod that never started",
      { builds: 1, pods: 1 },
      [build(), job("n1", { verdict: null }), job("n2"), pod(1, { hasStarted: false }), pod(2)],
    ],
    [
      "counts a build that its server took away too often apart",
      { builds: 1, pods: 1, beyondAttempts: 1 },
      [build({ result: "RETRY_LIMIT" }), job("n1"), pod(1)],
    ],
    [
      "counts a build whose pods the drill deleted too often apart",
      { builds: 1, pods: 1, beyondAttempts: 1, nulls: 1, faults: 1 },
      [podDeletion("p1"), build({ result: "RETRY_LIMIT" }), job("n1", { verdict: GIVEN_BACK }), pod(1, CUT_SHORT)],
    ],
    [
      "takes a pod whose start a killed kubelet broke off for a reason of the drill's",
      { builds: 1, pods: 1, beyondAttempts: 1, nulls: 1, faults: 1 },
      [
        KUBELET_KILLED,
        build({ result: "RETRY_LIMIT" }),
        job("n1", { verdict: { ...GIVEN_BACK, rule: "start-failed" } }),
        pod(1, CUT_SHORT),
      ],
    ],
    [
      "even where the test ran then, and ended",
      { builds: 1, pods: 2, nulls: 1, faults: 1 },
      [KUBELET_KILLED, build(), job("n1", { verdict: { ...GIVEN_BACK, rule: "start-failed" } }), job("n2"), pod(1), pod(2)],
    ],
    [
      "takes a kubelet that was away when a test ended by itself for a reason of the drill's",
      { builds: 1, pods: 2, nulls: 1, faults: 1 },
      [
        { type: "fault", atMs: 9, fault: { kind: "kubelet-down", how: "suspended", forMs: 1, index: 0, atMs: 1 }, outcome: "suspended" },
        build(),
        job("n1", { verdict: { ...GIVEN_BACK, rule: "unwatched" } }),
        job("n2"),
        pod(1),
        pod(2),
      ],
    ],
    [
      "takes a node that was reset for a reason, even of a test that had ended unseen",
      { builds: 1, pods: 2, nulls: 1, faults: 1 },
      [NODE_RESET, build(), job("n1", { verdict: { ...GIVEN_BACK, rule: "end-unknown" } }), job("n2"), pod(1), pod(2)],
    ],
    ["counts what Zuul itself gave up apart", { builds: 1, zuulGaveUp: 1 }, [build({ result: "NO_HANDLE" })]],
    [
      "counts what Zuul cancelled apart, whatever the pod did",
      { builds: 1, pods: 1, cancelled: 1 },
      [
        build({ result: "CANCELED", isCancelled: true, plan: CANCELLED }),
        job("n1", { isCancelled: true, verdict: ABORTED }),
        pod(1, CUT_SHORT),
      ],
    ],
  ];
  for (const [name, counts, entries] of passes) {
    test(name, () => {
      assert.deepEqual(seen(...entries), counts);
      assert.equal(isPassed(audit(...entries)), true);
    });
  }

  test("remarks a launch that no fault explains, where a server keeps what its worker loses", () => {
    const [launch] = build().launches;
    assert.ok(launch);
    const twice = [launch, { ...launch, uuid: "u2" }];
    const killed: ReportEntry = {
      ...{ type: "fault", atMs: 9, outcome: "process 1" },
      fault: { kind: "replica-killed", replica: 0, downMs: 1, index: 0, atMs: 9 },
    };
    const on = (server: BuildPlan["server"]) => seen(killed, build({ launches: twice, plan: plan({ server }) }), job("n1"), pod(1));
    assert.deepEqual(on("gearmand"), { builds: 1, pods: 1, faults: 1, relaunches: 1, unexplainedRelaunches: 1 });
    assert.deepEqual(on("geard"), { builds: 1, pods: 1, faults: 1, relaunches: 1 });
  });

  test("does not pass where something else went wrong", () => {
    const trouble: ReportEntry = { type: "over", atMs: 1, troubles: ["replica-0: process 1 ended with exit code 1"] };
    assert.equal(isPassed(auditReport([RUN, build(), job("n1"), pod(1), trouble])), false);
  });

  test("looks at the last entry of each object", () => {
    assert.deepEqual(seen(build({ result: null }), build(), job("n1", { verdict: null }), job("n1"), pod(1, CUT_SHORT), pod(1)), {
      builds: 1,
      pods: 1,
    });
  });

  test("adds what went before a drill that was ended and goes on, without the faults that are made again", () => {
    const fault = (index: number): ReportEntry => ({
      ...{ type: "fault", atMs: 1, outcome: "no pod was there to delete" },
      fault: { kind: "pod-deleted", pick: 0, index, atMs: 1 },
    });
    const ended = [RUN, fault(0), fault(1), build(), job("n1"), pod(1), build({ plan: plan({ id: "other" }), result: null })];
    const { counts } = auditReport([...ended, { ...RUN, from: 1 }, fault(1), fault(2), build(), job("n1"), pod(1), OVER]);
    assert.deepEqual([counts.faults, counts.builds, counts.interrupted, counts.hanging, counts.rerun], [3, 2, 1, 0, 0]);
  });
});
