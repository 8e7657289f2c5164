import type { BuildDetails } from "../../../src/core/report/build-details.ts";
import type { BuildReport } from "../../../src/core/report/build-report.ts";
import { reportTasks } from "../../../src/core/report/task-report.ts";
import type { ReadableLog } from "../../../src/web/logs/readable-log.ts";
import type { PageSources } from "../../../src/web/page-sources.ts";

export const NOW = new Date("2026-11-28T10:00:00Z");

/** A build that has failed; `changes` make another of it. */
export function sampleBuild(changes: Partial<BuildReport> = {}): BuildReport {
  return {
    number: "nova-unit-0123456789abcdef",
    namespace: "ci",
    task: "nova-unit",
    functionName: "build:gate-nova-python27",
    jobName: "nova-unit-0123456789abcdef",
    item: { project: "openstack/nova", branch: "master", change: "4711", patchset: "3", pipeline: "gate", ref: "refs/zuul/master/Z1" },
    standing: "ended",
    step: "ended",
    times: [
      { step: "accepted", at: "2026-11-28T09:40:00Z" },
      { step: "created", at: "2026-11-28T09:40:01Z" },
      { step: "scheduled", at: "2026-11-28T09:40:20Z" },
      { step: "preparing", at: "2026-11-28T09:40:22Z" },
      { step: "running", at: "2026-11-28T09:41:10Z" },
      { step: "ended", at: "2026-11-28T09:52:40Z" },
    ],
    pod: "nova-unit-0123456789abcdef-x2x4z",
    node: "worker-7",
    verdict: { result: "FAILURE - 2 of 314 tests failed", class: "failure", rule: "exit-code", message: "2 of 314 tests failed" },
    endedAt: "2026-11-28T09:52:41Z",
    ...changes,
  };
}

export const RUNNING = sampleBuild({
  number: "nova-unit-00000000000000aa",
  standing: "running",
  step: "running",
  times: sampleBuild().times.slice(0, 5),
  verdict: undefined,
  endedAt: undefined,
});

export const WAITING = sampleBuild({
  number: "nova-unit-00000000000000bb",
  standing: "waiting",
  step: "created",
  times: sampleBuild().times.slice(0, 2),
  waitingFor: "0/3 nodes are available: 3 Insufficient memory.",
  pod: undefined,
  node: undefined,
  verdict: undefined,
  endedAt: undefined,
});

export const DETAILS: BuildDetails = {
  parameters: [
    { name: "ZUUL_PROJECT", value: "openstack/nova" },
    { name: "ZUUL_REF", value: "refs/zuul/master/Z1" },
    { name: "SWIFT_logs_hmac_body", value: undefined },
  ],
  containers: [{ name: "test", image: "python:3.12", isTest: true }],
  again: {
    kubectl: "kubectl --namespace ci create -f - <<'END_OF_JOB'\n{}\nEND_OF_JOB",
    docker: "docker run --rm \\\n  --env=ZUUL_PROJECT=openstack/nova \\\n  python:3.12",
    needs: ["DB_PASSWORD: Secret db, key password"],
  },
};

/** Many builds that have ended, of one task. */
export function pastBuilds(count: number): BuildReport[] {
  return Array.from({ length: count }, (_, index) => {
    const number = `nova-unit-${String(index).padStart(16, "0")}`;
    if (index % 13 !== 5) {
      const verdict = { result: "SUCCESS", class: "success", rule: "exit-0", message: "the test passed" } as const;
      return sampleBuild({ number, verdict });
    }
    return sampleBuild({ number });
  });
}

const TASK = {
  apiVersion: "turbo-hipster.io/v1alpha1",
  kind: "TestTask",
  metadata: { name: "nova-unit", namespace: "ci" },
  spec: { jobs: ["gate-nova-python27", "gate-nova-python_unit"], image: "python:3.12", script: "tox -e py312\n", maxConcurrent: 8 },
};

/** What pages show, of builds that are as they are told. */
export function makeSampleSources(
  builds: readonly BuildReport[],
  logs: ReadonlyMap<string, ReadableLog> = new Map(),
  changes: Partial<PageSources> = {},
): PageSources {
  return {
    now: () => NOW,
    build: (number) => builds.find((build) => build.number === number),
    details: async () => DETAILS,
    builds: async () => builds,
    commits: () => [],
    tasks: (known) => reportTasks([TASK], known),
    log: async ({ number }, container) => (container === "test" ? logs.get(number) : undefined),
    logsOf: async ({ number }) => (logs.has(number) ? ["test"] : []),
    stored: undefined,
    ...changes,
  };
}
