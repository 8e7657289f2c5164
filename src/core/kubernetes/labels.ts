/** Labels and annotations of the objects the operator makes, and what selects them. */

const PREFIX = "turbo-hipster.io";

export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";
export const MANAGED_BY = "turbo-hipster";
export const INSTALLATION_LABEL = `${PREFIX}/installation`;
export const TASK_LABEL = `${PREFIX}/task`;
/** The dataset that a build runs on, by its name. */
export const DATASET_LABEL = `${PREFIX}/dataset`;
/** Set by the Job controller on the pods it makes. https://kubernetes.io/docs/reference/labels-annotations-taints/ */
export const JOB_NAME_LABEL = "batch.kubernetes.io/job-name";
/** The same, its uid: a Job of the same name may have been there before. */
export const JOB_UID_LABEL = "batch.kubernetes.io/controller-uid";

/** On a Job whose build is over and written down: when, as a count of ten minutes since 1970, so that the latest can be selected. */
export const RECORDED_LABEL = `${PREFIX}/recorded`;

/** On the Job: the Gearman function it was asked for under. */
export const FUNCTION_ANNOTATION = `${PREFIX}/function`;
/** On the Job: whose request it answers, a `RequestRecord` as JSON. */
export const REQUEST_ANNOTATION = `${PREFIX}/request`;
/** On the Job: the task's `timeouts` as they were when it was made, as JSON. */
export const TIMEOUTS_ANNOTATION = `${PREFIX}/timeouts`;
/** On the Job: the task's `artifacts` as they were when it was made, as JSON. */
export const ARTIFACTS_ANNOTATION = `${PREFIX}/artifacts`;
/** On the Job: the dataset that it runs on, a `DatasetRecord` as JSON. */
export const DATASET_ANNOTATION = `${PREFIX}/dataset`;
/** On the Job: the task's `checks` as they were when it was made, as JSON. */
export const CHECKS_ANNOTATION = `${PREFIX}/checks`;
/** On the Job: what each container of its pod is there for, `ContainerRoles` as JSON. */
export const CONTAINERS_ANNOTATION = `${PREFIX}/containers`;
/** On the Job: what a relaunch by Zuul of the same build shares with it, see `relaunchKey`. */
export const RELAUNCH_ANNOTATION = `${PREFIX}/relaunch`;
/** On the Job: what it tests, a `BuildItem` as JSON, for pages. */
export const ITEM_ANNOTATION = `${PREFIX}/item`;
/** On the Job: when Zuul asked to stop it (RFC 3339). */
export const CANCELLED_ANNOTATION = `${PREFIX}/cancelled`;
/** On the Job: its verdict as JSON. */
export const VERDICT_ANNOTATION = `${PREFIX}/verdict`;
/** On a Job of a build over several datasets: which of its Jobs it is, a `MemberRecord` as JSON. */
export const MEMBER_ANNOTATION = `${PREFIX}/member`;
/** On the lead of such a build: its TestTask as it was, as JSON, so that members which are not there yet can be made. */
export const TEST_TASK_ANNOTATION = `${PREFIX}/test-task`;
/** On the lead of such a build, when it is over: what came out of it, a `GroupAnswer` as JSON. */
export const ANSWER_ANNOTATION = `${PREFIX}/answer`;
/** On the Job: when the Gearman server had read the final answer (RFC 3339). */
export const DELIVERED_ANNOTATION = `${PREFIX}/delivered`;
/** On the Job: when its artifacts were stored (RFC 3339). */
export const COLLECTED_ANNOTATION = `${PREFIX}/collected`;
/** On the Job: where its log is stored, or why it is not, a `StoredRecord` as JSON. */
export const STORED_ANNOTATION = `${PREFIX}/stored`;
/** On the pod: the request's parameters, the received JSON text; a downward API volume makes it a file. */
export const PARAMETERS_ANNOTATION = `${PREFIX}/parameters`;
/** On the pod: the task's script; a file like the parameters. */
export const SCRIPT_ANNOTATION = `${PREFIX}/script`;

const RECORDED_MS = 600_000;

export function recordedLabel(now: Date): string {
  return String(Math.floor(now.getTime() / RECORDED_MS));
}

/**
 * Select, together, the Jobs of all builds that are not written down as over, and of those that have been for less than ten minutes; some of
 * twice that age are among them. `now` and the labels are of the API server's clock, as each replica knows it: one whose idea of it is ahead
 * by up to ten minutes is allowed for. What is missed is recorded: its build is over, and was answered or given up.
 */
export function unrecordedSelectors(now: Date): string[] {
  const recent = [-1, 0, 1].map((change) => recordedLabel(new Date(now.getTime() + change * RECORDED_MS)));
  return [`!${RECORDED_LABEL}`, `${RECORDED_LABEL} in (${recent.join(",")})`];
}

/** Selects what an installation made. */
export function installationSelector(installation: string): string {
  return `${MANAGED_BY_LABEL}=${MANAGED_BY},${INSTALLATION_LABEL}=${installation}`;
}
