import type { VerdictRule } from "./verdict-rule.ts";

// Told by whoever refuses a request, or gives a build up before it has a Job.

export const noTask = {
  id: "no-task",
  class: "configuration",
  seen: "No TestTask serves the job any more; once registered, its name stays answered.",
  result: "CONFIG_ERROR - no TestTask serves this job any more",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const invalidTask = {
  id: "invalid-task",
  class: "configuration",
  seen: "The TestTask that names the job was stored by a version with fewer rules, and breaks one of this version's; no other serves the job.",
  result: "CONFIG_ERROR - TestTask unit is invalid - spec.template.spec.restartPolicy must be Never",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const badRequest = {
  id: "bad-request",
  class: "configuration",
  seen: "The request's parameters are no JSON object, or larger than 128 KiB.",
  result: "CONFIG_ERROR - the parameters of the request are not JSON",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const pipeline = {
  id: "pipeline",
  class: "configuration",
  seen: "The task's `pipelines` do not name the request's.",
  result: "CONFIG_ERROR - pipeline check is none of those that TestTask unit takes builds of",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const noDataset = {
  id: "no-dataset",
  class: "configuration",
  seen: "The task has datasets, and none of them matches the request's project and branch; it does not say `whenNoDataset: succeed`.",
  result: "CONFIG_ERROR - no dataset of TestTask unit matches openstack/nova, stable/2024.1",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const datasetNotNeeded = {
  id: "dataset-not-needed",
  class: "success",
  seen: "None of the task's datasets matches the request's project and branch, and the task says `whenNoDataset: succeed`: nothing is run.",
  result: "SUCCESS",
  keeps: "nothing, there is no Job",
  isChance: true,
} as const satisfies VerdictRule;

export const unsupported = {
  id: "unsupported",
  class: "configuration",
  seen: "The task uses a field that this version does not carry out.",
  result: "CONFIG_ERROR - TestTask unit uses checks - not carried out by this version",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const badChecks = {
  id: "bad-checks",
  class: "configuration",
  seen: "The task's `checks` have a pattern that is none, or name a group that it does not have; or the installation keeps no logs that could be checked.",
  result: "CONFIG_ERROR - TestTask unit - spec.checks[0].steps.start is no regular expression (RE2) - missing closing )",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const unrenderable = {
  id: "unrenderable",
  class: "configuration",
  seen: "The task's template cannot be made a Job of, though its schema lets it pass: the field that is in the way, and why.",
  result: "CONFIG_ERROR - TestTask unit makes no Job, look at spec.template.spec.volumes - base.spec.volumes is not iterable",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const jobRefused = {
  id: "job-refused",
  class: "configuration",
  seen: "The API server refused the Job as invalid, or by a policy. A quota of Jobs that is full, or zero, waits instead.",
  result: "CONFIG_ERROR - spec.template.spec.containers[0].image - Required value",
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const jobNotCreated = {
  id: "job-not-created",
  class: "infrastructure",
  seen: "The API server kept refusing to make the Job for a reason that is not the task's, such as a missing right.",
  result: null,
  keeps: "nothing, there is no Job",
} as const satisfies VerdictRule;

export const nameTaken = {
  id: "name-taken",
  class: "infrastructure",
  seen: "Jobs of other builds hold every name that the build may have.",
  result: null,
  keeps: "nothing, there is no Job",
  isChance: true,
} as const satisfies VerdictRule;

export const jobGone = {
  id: "job-gone",
  class: "infrastructure",
  seen: "The Job was made and is not there any more, and nothing of it was seen.",
  result: null,
  keeps: "nothing, there is no Job",
  isChance: true,
} as const satisfies VerdictRule;

export const operatorError = {
  id: "operator-error",
  class: "infrastructure",
  seen: "A defect of the operator.",
  result: null,
  keeps: "the error, in the operator's log",
} as const satisfies VerdictRule;
