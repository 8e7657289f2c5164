import { isNumberIn, jobNumber } from "../../core/job/name.ts";
import { readRequestRecord, readWrittenRoles } from "../../core/job/record.ts";
import {
  FUNCTION_ANNOTATION,
  JOB_NAME_LABEL,
  JOB_UID_LABEL,
  REQUEST_ANNOTATION,
  TEST_TASK_ANNOTATION,
} from "../../core/kubernetes/labels.ts";
import type { Condition, Container, ContainerStatus, Job, KubeObject, Pod, PodSpec } from "../../core/kubernetes/objects.ts";
import { sha256Hex } from "../../runtime/sha256.ts";

const METADATA = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"] as const;
const JOB_METADATA = [...METADATA, "labels", "annotations"] as const;
const CONDITION = ["type", "status", "reason", "message", "lastTransitionTime"] as const;
const CONTAINER_STATUS = ["name", "state", "lastState", "started", "restartCount", "containerID"] as const;

/**
 * A Job carries its whole pod template, parameters and script included: far more than anyone looks at here. Jobs and pods of builds that are
 * over stay by the thousand, so that every field counts. One that has no number of its namespace says nothing at all: whoever may create Jobs
 * in one namespace would else have a build of another one's number.
 */
export function trimJob(object: KubeObject): Job {
  const job = withoutForgery(object as Job);
  const { metadata, spec, status } = job;
  // Where the Job does not say what its containers are there for, their names do.
  const containers = readWrittenRoles(job) ? { containers: [] } : trimContainers(spec?.template.spec);
  return {
    metadata: withoutTask(pick(metadata, JOB_METADATA)),
    spec: { template: { spec: containers }, ...(spec ? pick(spec, ["suspend", "ttlSecondsAfterFinished"]) : {}) },
    ...(status ? { status: { ...pick(status, ["startTime", "active", "failed", "succeeded"]), ...trimConditions(status) } } : {}),
  };
}

/** It is large, and read from the whole Job by who needs it. */
function withoutTask<T extends Pick<Job["metadata"], "annotations">>(metadata: T): T {
  if (metadata.annotations?.[TEST_TASK_ANNOTATION] === undefined) return metadata;
  const { [TEST_TASK_ANNOTATION]: _, ...annotations } = metadata.annotations;
  return { ...metadata, annotations };
}

function withoutForgery(job: Job): Job {
  const { name, namespace = "", annotations = {} } = job.metadata;
  const request = readRequestRecord(annotations[REQUEST_ANNOTATION]);
  if (!request) return job;
  const { number } = request;
  const identity = { ...request, functionName: annotations[FUNCTION_ANNOTATION] ?? "" };
  if (jobNumber(name) === number && isNumberIn(namespace, { number, identity }, sha256Hex)) return job;
  return { ...job, metadata: { ...job.metadata, annotations: {} } };
}

/** What is looked at of a build's pod; of its labels whose pod it is. */
export function trimPod(object: KubeObject): Pod {
  const { metadata, spec, status } = object as Pod;
  const { labels } = metadata;
  return {
    metadata: { ...pick(metadata, METADATA), ...(labels ? { labels: pick(labels, [JOB_NAME_LABEL, JOB_UID_LABEL]) } : {}) },
    ...(spec
      ? {
          spec: {
            ...pick(spec, ["nodeName", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "resources"]),
            ...trimContainers(spec),
          },
        }
      : {}),
    ...(status
      ? {
          status: {
            ...pick(status, ["phase", "reason", "message", "startTime"]),
            ...trimConditions(status),
            ...(status.initContainerStatuses ? { initContainerStatuses: status.initContainerStatuses.map(trimContainerStatus) } : {}),
            ...(status.containerStatuses ? { containerStatuses: status.containerStatuses.map(trimContainerStatus) } : {}),
          },
        }
      : {}),
  };
}

function trimContainers(spec: Partial<PodSpec> = {}): Pick<PodSpec, "containers" | "initContainers"> {
  const { containers = [], initContainers } = spec;
  return {
    containers: containers.map(trimContainer),
    ...(initContainers ? { initContainers: initContainers.map(trimContainer) } : {}),
  };
}

function trimContainer(container: Container): Container {
  return pick(container, ["name", "restartPolicy", "restartPolicyRules", "resources"]);
}

function trimContainerStatus(status: ContainerStatus): ContainerStatus {
  return pick(status, CONTAINER_STATUS);
}

function trimConditions({ conditions }: { conditions?: Condition[] }): { conditions?: Condition[] } {
  return conditions ? { conditions: conditions.map((condition) => pick(condition, CONDITION)) } : {};
}

function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> {
  const picked: Partial<T> = {};
  for (const key of keys) if (from[key] !== undefined) picked[key] = from[key];
  return picked as Pick<T, K>;
}
