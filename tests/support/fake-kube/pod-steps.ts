import { randomBytes } from "node:crypto";
import { JOBS, PODS } from "../../../src/kube/client/resource.ts";
import type { FakeKube } from "./fake-kube.ts";
import { timestamp } from "./fake-store.ts";
import type { StoredObject } from "./resource-rules.ts";

interface PodEnd {
  readonly exitCode: number;
  /** The judged container's termination message. */
  readonly message?: string;
  /** The judged container's reason, such as OOMKilled. */
  readonly reason?: string;
  /** The pod ended because its activeDeadlineSeconds was over. */
  readonly deadlineExceeded?: boolean;
}

interface ContainerSpec {
  readonly name: string;
  readonly image?: string;
  readonly restartPolicy?: string;
}

/** What the Job controller does first: a pod that names the Job as its owner, and the Job's `active`. */
export function createPodFor(fake: FakeKube, job: StoredObject): StoredObject {
  const { namespace = "", name, uid } = job.metadata;
  const template = job.spec.template;
  const labels = {
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
    "controller-uid": uid,
    "job-name": name,
  };
  const pod = fake.create(PODS, namespace, {
    metadata: {
      name: `${name}-${randomBytes(3).toString("hex").slice(0, 5)}`,
      labels: { ...template.metadata?.labels, ...labels },
      ...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid, controller: true, blockOwnerDeletion: true }],
    },
    spec: template.spec,
  });
  if (fake.find(JOBS, namespace, name)?.metadata.uid === uid) {
    fake.patchStatus(JOBS, namespace, name, { active: 1, ready: 0, startTime: timestamp() });
  }
  return pod;
}

/** Scheduled, init containers done, every container running. */
export function startPod(fake: FakeKube, namespace: string, name: string): void {
  fake.bind(namespace, name, "fake-node");
  const { spec } = fake.get(PODS, namespace, name);
  const startedAt = timestamp();
  const running = { running: { startedAt } };
  const completed = { terminated: { exitCode: 0, reason: "Completed", startedAt, finishedAt: startedAt } };
  const initContainers: ContainerSpec[] = spec.initContainers ?? [];
  fake.patchStatus(PODS, namespace, name, {
    phase: "Running",
    startTime: startedAt,
    conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: startedAt }],
    ...(initContainers.length === 0
      ? {}
      : { initContainerStatuses: initContainers.map((each) => status(each, each.restartPolicy === "Always" ? running : completed)) }),
    containerStatuses: (spec.containers as ContainerSpec[]).map((each) => status(each, running)),
  });
  for (const each of initContainers) if (each.restartPolicy !== "Always") fake.logs.end(namespace, name, each.name);
}

/** A service has ended with 1, and the kubelet has started it again. */
export function restartService(fake: FakeKube, namespace: string, name: string, container: string): void {
  fake.logs.restart(namespace, name, container);
  const { status } = fake.get(PODS, namespace, name);
  const initContainerStatuses = status.initContainerStatuses.map((each: ReturnType<typeof status>) => {
    if (each.name !== container) return each;
    const startedAt = each.state.running.startedAt;
    const terminated = { exitCode: 1, reason: "Error", startedAt, finishedAt: timestamp() };
    return { ...each, restartCount: each.restartCount + 1, lastState: { terminated }, state: { running: { startedAt: timestamp() } } };
  });
  fake.patchStatus(PODS, namespace, name, { initContainerStatuses });
}

/** Scheduled, but no container can be started. */
export function holdPod(fake: FakeKube, namespace: string, name: string, waiting: { reason: string; message?: string }): void {
  fake.bind(namespace, name, "fake-node");
  const { spec } = fake.get(PODS, namespace, name);
  fake.patchStatus(PODS, namespace, name, {
    startTime: timestamp(),
    conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: timestamp() }],
    containerStatuses: (spec.containers as ContainerSpec[]).map((each) => status(each, { waiting })),
  });
}

/** The test has ended, and the pod has not: its services have not. */
export function endTest(fake: FakeKube, namespace: string, name: string, exitCode: number): void {
  const { spec, status: before } = fake.get(PODS, namespace, name);
  const terminated = { exitCode, reason: exitCode === 0 ? "Completed" : "Error", startedAt: before.startTime, finishedAt: timestamp() };
  for (const container of spec.containers as ContainerSpec[]) fake.logs.end(namespace, name, container.name);
  fake.patchStatus(PODS, namespace, name, {
    containerStatuses: (spec.containers as ContainerSpec[]).map((each) => status(each, { terminated })),
  });
}

/** Every container ended with this, the pod is terminal, and so is its Job. */
export function endPod(fake: FakeKube, namespace: string, name: string, end: PodEnd): void {
  const pod = fake.get(PODS, namespace, name);
  const isDone = end.exitCode === 0 && !end.deadlineExceeded;
  const terminated = {
    exitCode: end.exitCode,
    reason: end.reason ?? (end.exitCode === 0 ? "Completed" : "Error"),
    startedAt: pod.status?.startTime ?? timestamp(),
    finishedAt: timestamp(),
    ...(end.message === undefined ? {} : { message: end.message }),
  };
  for (const each of [...(pod.spec.initContainers ?? []), ...pod.spec.containers] as ContainerSpec[])
    fake.logs.end(namespace, name, each.name);
  fake.patchStatus(PODS, namespace, name, {
    phase: isDone ? "Succeeded" : "Failed",
    ...(end.deadlineExceeded
      ? { reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" }
      : {}),
    containerStatuses: (pod.spec.containers as ContainerSpec[]).map((each) => status(each, { terminated })),
  });
  finishJobOf(fake, pod, isDone);
}

function finishJobOf(fake: FakeKube, pod: StoredObject, isDone: boolean): void {
  const namespace = pod.metadata.namespace ?? "";
  const owner = pod.metadata.ownerReferences?.find((each) => each.kind === "Job");
  if (owner === undefined || fake.find(JOBS, namespace, owner.name)?.metadata.uid !== owner.uid) return;
  const [reason, ...types] = isDone
    ? ["CompletionsReached", "SuccessCriteriaMet", "Complete"]
    : ["BackoffLimitExceeded", "FailureTarget", "Failed"];
  fake.patchStatus(JOBS, namespace, owner.name, {
    active: null,
    ready: 0,
    ...(isDone ? { succeeded: 1, completionTime: timestamp() } : { failed: 1 }),
    conditions: types.map((type) => ({ type, status: "True", reason, lastTransitionTime: timestamp() })),
  });
}

function status({ name, image }: ContainerSpec, state: object): object {
  return { name, image, imageID: "", restartCount: 0, ready: "running" in state, started: "running" in state, state };
}
