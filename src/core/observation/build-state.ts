import { type ContainerRoles, type InitRole, initRole, isRendered } from "../kubernetes/container-roles.ts";
import { COLLECTED_ANNOTATION, JOB_UID_LABEL } from "../kubernetes/labels.ts";
import type { Condition, ContainerStatus, Job, Pod, TerminatedState } from "../kubernetes/objects.ts";
import { whyInvented } from "./invented-ends.ts";
import { firstEnd, mayRunAgain, observePod, type PodFacts, statusesOf } from "./pod-facts.ts";
import { readTestEnd, type TestEnd, withoutScrap } from "./termination-message.ts";

/** Where a build stands, read from its Job and Pod alone; every field comes from the API server's objects. */
export type BuildState =
  /** No Job is there (not yet, or no more: the caller knows which). */
  | { kind: "absent" }
  /** Somebody (Kueue, a person) has suspended the Job before its test began. */
  | { kind: "suspended" }
  /** The Job waits for its pod: not made yet, or refused. */
  | { kind: "queued" }
  /** The pod waits for a node. */
  | { kind: "unscheduled"; pod: PodFacts; reason: string /** The scheduler's, once it has any. */; words: string | undefined }
  /** The pod has a node: images are pulled, init containers run. `since` is when the kubelet took it (RFC 3339). */
  | { kind: "preparing"; pod: PodFacts; since: string | undefined; reason: string; waiting: readonly WaitingContainer[]; init?: string }
  | { kind: "running"; pod: PodFacts; startedAt: string | undefined }
  /** The test's container has ended. */
  | ({ kind: "exited"; pod: PodFacts; job: JobFacts; container: string } & TestEnd)
  /** An init container ended the pod before the test ran. */
  | { kind: "not-started"; pod: PodFacts; job: JobFacts; container: string; role: InitRole; terminated: TerminatedState }
  /** The pod is over, or being taken away, and its test's end was not seen. */
  | { kind: "lost"; pod: PodFacts | undefined; job: JobFacts; reason: string };

interface JobFacts {
  /** Deleted, perhaps not gone yet. */
  isDeleted: boolean;
  /** Suspended though its test had begun: the Job controller deletes the pod, and makes another one later. */
  isSuspended: boolean;
  /** Its artifacts are stored. */
  isCollected?: boolean;
  /** When the Job controller closed its books on it (RFC 3339, its clock). */
  endedAt?: string;
}

export interface WaitingContainer {
  container: string;
  /** The cluster has added it to the pod. */
  isInjected: boolean;
  reason: string;
  message: string;
}

/**
 * Pure and level-based: any two observations of the same objects give the same state, whatever came before. `pods` are all that name the Job;
 * `roles` are those of the Job, whatever its pod holds; `killOf` tells what the kubelet said when it began to end a pod's containers by itself,
 * where it did.
 */
export function observeBuild(
  job: Job | undefined,
  pods: readonly Pod[],
  roles: ContainerRoles,
  killOf: (pod: Pod, roles: ContainerRoles) => string | undefined,
): BuildState {
  if (!job) return { kind: "absent" };
  const pod = newest(pods.filter((each) => isPodOf(each, job)));
  if (!pod?.spec) return observeWithoutPod(job);
  const facts = observePod(pod, pod.spec, roles, killOf(pod, roles));
  const test = pod.status?.containerStatuses?.find(({ name }) => name === roles.test);
  const end = test && firstEnd(test);
  const invented = end && whyInvented(end);
  const endedAt = endCondition(job)?.lastTransitionTime;
  const ofJob: JobFacts = {
    isDeleted: job.metadata.deletionTimestamp !== undefined,
    isSuspended: Boolean(job.spec?.suspend) && facts.hasTestBegun,
    ...(job.metadata.annotations?.[COLLECTED_ANNOTATION] === undefined ? {} : { isCollected: true }),
    ...(endedAt === undefined ? {} : { endedAt }),
  };
  const lost = (reason: string): BuildState => ({ kind: "lost", pod: facts, job: ofJob, reason });

  if (job.spec?.suspend && !facts.hasTestBegun && !facts.isTerminal) return { kind: "suspended" };
  if (facts.restarted) return lost(facts.restarted);
  if (end && !invented) return { kind: "exited", pod: facts, job: ofJob, container: roles.test, ...readTestEnd(end, pod.spec, roles) };
  // A disruption that was only announced may never come: until then the test runs on.
  if (facts.isDeleted) return lost(facts.disruption?.message ?? "the pod was deleted");
  const failedInit = pod.status?.initContainerStatuses?.find((init) => hasFailed(init, pod, roles, facts.isTerminal));
  if (failedInit?.state?.terminated) {
    const {
      name: container,
      state: { terminated },
    } = failedInit;
    return {
      kind: "not-started",
      pod: facts,
      job: ofJob,
      container,
      role: initRole(roles, container),
      terminated: withoutScrap(terminated, pod.spec),
    };
  }
  if (facts.isTerminal || facts.phase === "Unknown") return lost(describe(facts, invented));
  if (invented) return lost(invented);
  if (ofJob.isDeleted) return lost("the Job was deleted");
  if (ofJob.isSuspended) return lost("the Job was suspended while its test ran");
  if (test?.state?.running) return { kind: "running", pod: facts, startedAt: test.state.running.startedAt };
  if (!pod.spec.nodeName) {
    const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
    const words = scheduled?.message ?? scheduled?.reason;
    return { kind: "unscheduled", pod: facts, reason: words ?? "waits for a node", words };
  }
  const waiting = waitingContainers(pod, roles);
  const ends = new Set(pod.spec.initContainers?.flatMap(({ name, restartPolicy }) => (restartPolicy === "Always" ? [] : [name])));
  const init = pod.status?.initContainerStatuses?.find(({ name, state }) => state?.running && ends.has(name))?.name;
  const reason = waiting[0]?.reason ?? "starting";
  return { kind: "preparing", pod: facts, since: pod.status?.startTime, reason, waiting, ...(init === undefined ? {} : { init }) };
}

/** True when the test's container has been seen to run. */
export function hasTestBegun(state: BuildState): boolean {
  return state.kind === "running" || state.kind === "exited";
}

/** A suspended Job whose pod is gone already, by what was seen of it before: its next pod would run the test a second time. */
export function suspendedAfterStart(pod: PodFacts | undefined): BuildState {
  return { kind: "lost", pod, job: { isDeleted: false, isSuspended: true }, reason: "the Job was suspended while its test ran" };
}

/** True once its pod has told the end of the test, or that there will be none. A pod that nobody has seen tells nothing. */
export function hasEnded(state: BuildState): boolean {
  return state.kind === "exited" || state.kind === "not-started" || (state.kind === "lost" && state.pod !== undefined);
}

/** Whether artifacts may yet come: its test has ended, its collector has not, and nobody has said that all is stored. */
export function awaitsArtifacts(state: BuildState): boolean {
  if (state.kind !== "exited" || state.job.isCollected) return false;
  return state.pod.isCollecting && !state.pod.isTerminal && !state.pod.isDeleted;
}

/** False while nothing of the build's pod has run: no kubelet has taken it. */
export function hasStarted(state: BuildState): boolean {
  if (state.kind === "suspended" || state.kind === "queued") return false;
  return !("pod" in state) || !state.pod || state.pod.isStarted || state.pod.isTerminal;
}

/** True once the Job controller has closed its books on it. */
export function isJobOver(job: Job): boolean {
  return endCondition(job) !== undefined;
}

/** What the Job controller wrote when it closed its books on the Job. */
export function endCondition(job: Job): Condition | undefined {
  return job.status?.conditions?.find(({ type, status }) => (type === "Failed" || type === "Complete") && status === "True");
}

function observeWithoutPod(job: Job): BuildState {
  const isDeleted = job.metadata.deletionTimestamp !== undefined;
  const lost = (reason: string): BuildState => ({ kind: "lost", pod: undefined, job: { isDeleted, isSuspended: false }, reason });
  if (isDeleted) return lost("the Job was deleted");
  const failed = endCondition(job);
  if (failed) return lost(failed.message ?? failed.reason ?? "the Job ended and its pod is gone");
  return { kind: job.spec?.suspend ? "suspended" : "queued" };
}

/** A pod outlives its Job for a while, for as long as its node is away: what it says is nothing of a Job that has the name by now. */
function isPodOf(pod: Pod, job: Job): boolean {
  const uid = pod.metadata.labels?.[JOB_UID_LABEL];
  return uid === undefined || job.metadata.uid === undefined || uid === job.metadata.uid;
}

function newest(pods: readonly Pod[]): Pod | undefined {
  return [...pods].sort((a, b) => (b.metadata.creationTimestamp ?? "").localeCompare(a.metadata.creationTimestamp ?? ""))[0];
}

/** Their ends are no end of the pod, and the collector's no end of the test. */
function isSidecar(role: InitRole): boolean {
  return role === "service" || role === "collector";
}

/** The kubelet counts exit code 0 of an init container that was `OOMKilled` as a failure, too (`isInitContainerFailed`). */
function hasFailed({ name, state }: ContainerStatus, pod: Pod, roles: ContainerRoles, isTerminal: boolean): boolean {
  const terminated = state?.terminated;
  if (terminated === undefined || whyInvented(terminated) !== undefined || isSidecar(initRole(roles, name))) return false;
  if (terminated.exitCode === 0 && terminated.reason !== "OOMKilled") return false;
  const container = pod.spec?.initContainers?.find((each) => each.name === name);
  return container?.restartPolicy !== "Always" && (isTerminal || !mayRunAgain(container));
}

function waitingContainers(pod: Pod, roles: ContainerRoles): WaitingContainer[] {
  return statusesOf(pod).flatMap(({ name, state }) => {
    const reason = state?.waiting?.reason;
    return reason && reason !== "PodInitializing"
      ? [{ container: name, isInjected: !isRendered(roles, name), reason, message: state?.waiting?.message ?? "" }]
      : [];
  });
}

function describe(facts: PodFacts, invented: string | undefined): string {
  return (
    facts.disruption?.message ?? facts.message ?? facts.reason ?? invented ?? `the pod ended ${facts.phase} without its test's exit code`
  );
}
