import { REQUEST_ANNOTATION, VERDICT_ANNOTATION } from "../../../src/core/kubernetes/labels.ts";
import type { StoredObject } from "../../support/fake-kube/resource-rules.ts";
import type { ZuulBuild, ZuulCompleted } from "../../support/zuul/zuul-launcher.ts";
import type { BuildPlan } from "./drill-plan.ts";

/** What was launched, and what came of it. */
export interface DrilledBuild {
  readonly plan: BuildPlan;
  readonly zuul: ZuulBuild;
  /** undefined: Zuul still waits. */
  completed?: ZuulCompleted;
}

/** One column each; `lost`, `wrong`, `hanging`, `reruns` and `orphans` must be 0. */
export interface DrillCounts {
  builds: number;
  /** Launches by Zuul beyond the first of each build. */
  relaunches: number;
  /** Zuul gave the build up although nothing but the operator could be the reason. */
  lost: number;
  /** Zuul was told what no pod of this build did. */
  wrong: number;
  /** Zuul still waits. */
  hanging: number;
  /** Pods beyond the first of a build. */
  reruns: number;
  /** Pods that still run for nobody. */
  orphans: number;
  /** The server took the build away more often than Zuul's `attempts` allow. */
  beyondAttempts: number;
  /** Zuul gave it up itself: it launches while it has no connection, or before functions are registered at an empty server. */
  zuulGaveUp: number;
}

/** How Zuul's launcher ends a build that it could not submit (`zuul/launcher/gearman.py`, `launch`). */
export function isZuulOwnResult(result: string): boolean {
  return ["EXCEPTION", "NOT_REGISTERED", "NO_HANDLE"].includes(result);
}

export interface DrillAudit {
  counts: DrillCounts;
  /** What must not be, for people: one line for each. */
  faults: string[];
}

/** Compares what Zuul was told with what each pod did. `pods` are all that there ever were, `jobs` those that are left. */
export function auditDrill(builds: readonly DrilledBuild[], jobs: readonly StoredObject[], pods: readonly StoredObject[]): DrillAudit {
  const counts: DrillCounts = {
    ...{ builds: builds.length, relaunches: 0, lost: 0, wrong: 0, hanging: 0 },
    ...{ reruns: 0, orphans: 0, beyondAttempts: 0, zuulGaveUp: 0 },
  };
  const faults: string[] = [];
  for (const { plan, zuul, completed } of builds) {
    const ownJobs = jobs.filter((job) => refOf(job) === plan.ref);
    const ownPods = pods.filter((pod) => refOf(pod) === plan.ref);
    const note = (column: keyof DrillCounts, text: string, by = 1) => {
      counts[column] += by;
      faults.push(`${column}: build ${plan.index} (${plan.job}, ${plan.ref}) ${text}\n${describe(zuul, ownJobs, ownPods)}`);
    };
    counts.relaunches += Math.max(0, zuul.events.filter(({ event }) => event === "launched").length - 1);
    if (ownPods.length > 1) note("reruns", `had ${ownPods.length} pods`, ownPods.length - 1);
    const running = ownPods.filter(({ status }) => status?.phase === "Running" || status?.phase === "Pending");
    if (running.length > 0) note("orphans", "still has a pod that runs", running.length);
    if (completed === undefined) note("hanging", "has no end");
    else if (isZuulOwnResult(completed.result)) counts.zuulGaveUp += 1;
    else if (completed.result === "RETRY_LIMIT") {
      // WORK_FAIL by the server itself leaves no verdict without a result behind, but for builds that nobody came back for.
      const own = ownJobs.map(verdictOf).filter((verdict) => verdict?.result === null && verdict.rule !== "unclaimed");
      if (own.length > 0) note("lost", `was given back by the operator: ${JSON.stringify(own)}`);
      else counts.beyondAttempts += 1;
    } else if (completed.result !== plan.result) note("wrong", `was reported as ${completed.result} instead of ${plan.result}`);
    else if (!ownPods.some((pod) => exitCodeOf(pod) === plan.exitCode)) note("wrong", `was reported as ${completed.result} without a pod`);
  }
  return { counts, faults };
}

function refOf(object: StoredObject): string | undefined {
  const template = object.spec.template?.metadata ?? object.metadata;
  const text = template.annotations?.["turbo-hipster.io/parameters"];
  return /\/(Z[0-9a-f]{32})"/.exec(text ?? "")?.[1];
}

function exitCodeOf(pod: StoredObject): number | undefined {
  return pod.status?.containerStatuses?.[0]?.state?.terminated?.exitCode;
}

function verdictOf(job: StoredObject): { result: string | null; rule: string } | undefined {
  const text = job.metadata.annotations?.[VERDICT_ANNOTATION];
  return text === undefined ? undefined : JSON.parse(text);
}

function describe(zuul: ZuulBuild, jobs: readonly StoredObject[], pods: readonly StoredObject[]): string {
  const events = zuul.events.map((event) => {
    const { event: name, uuid, number, result, retry, isSubmitted } = event as unknown as Record<string, unknown>;
    return `  zuul ${name} ${JSON.stringify({ uuid, number, result, retry, isSubmitted })}`;
  });
  const own = jobs.map(
    ({ metadata }) => `  job ${metadata.name} ${metadata.annotations?.[VERDICT_ANNOTATION]} ${metadata.annotations?.[REQUEST_ANNOTATION]}`,
  );
  return [
    ...events.filter((line, index) => line !== events[index - 1]),
    ...own,
    ...pods.map((pod) => `  pod ${pod.metadata.name} ${pod.status?.phase} ${exitCodeOf(pod)}`),
  ].join("\n");
}
