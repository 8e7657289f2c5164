import { awaitsChecks } from "../../core/checks/checks-verdict.ts";
import type { ManifestInput, ManifestSettings } from "../../core/job/manifest.ts";
import { type MemberDataset, type MemberRecord, readTestTask } from "../../core/job/member.ts";
import { findJobs, isRecorded, type JobRecord, type RequestRecord, readJobRecord } from "../../core/job/record.ts";
import { isAnswer } from "../../core/job/relaunch.ts";
import { type Rendering, tryRenderJob } from "../../core/job/rendering.ts";
import { PARAMETERS_ANNOTATION } from "../../core/kubernetes/labels.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import { datasetQuery, matchingDatasets } from "../../core/test-task/datasets.ts";
import type { TestTask } from "../../core/test-task/test-task.ts";
import { readBuildFunction } from "../../core/zuul/function-name.ts";
import { type Parameters, parseParameters } from "../../core/zuul/parameters.ts";
import type { MembersPlan } from "../build-life/build-context.ts";
import type { BuildCluster } from "../ports.ts";

export interface MemberPlansOptions {
  cluster: Pick<BuildCluster, "cachedJobs" | "cachedJobsOf">;
  settings: ManifestSettings;
}

/** Plans the Jobs of builds over several datasets. */
export class MemberPlans {
  readonly #options: MemberPlansOptions;

  constructor(options: MemberPlansOptions) {
    this.#options = options;
  }

  /**
   * What a new build runs on: a dataset, or several, or none. Of several the lead is the first that no earlier launch of the build by Zuul has
   * found out about; where there is nothing to be run, the last one is.
   */
  choose(
    task: TestTask,
    parameters: Parameters,
    { since }: RequestRecord,
    relaunchKey: string | undefined,
  ): Pick<ManifestInput, "dataset" | "member"> {
    const matching = matchingDatasets(task.spec, datasetQuery(parameters));
    if (matching.length < 2) return { dataset: matching[0] };
    const known = relaunchKey === undefined ? [] : this.#finished(relaunchKey, task.metadata.namespace);
    const members = matching.map(({ name }) => ({ name, kept: known.find((each) => each.name === name)?.kept }));
    const first = members.findIndex(({ kept }) => kept === undefined);
    const index = first === -1 ? members.length - 1 : first;
    const datasets = members.map(({ name, kept }, at): MemberDataset => (kept === undefined || at === index ? { name } : { name, kept }));
    return { dataset: matching[index], member: { index, datasets, since } };
  }

  /** Its Job, and what its other ones are made of where there are several. */
  render(
    input: Omit<ManifestInput, "settings">,
  ): { ok: true; job: Job; members: MembersPlan | undefined } | Extract<Rendering, { ok: false }> {
    const { member } = input;
    const lead = tryRenderJob({ ...input, settings: this.#options.settings });
    if (!lead.ok) return lead;
    if (!member) return { ...lead, members: undefined };
    const rendered = new Map<number, Job>();
    for (const [index, { kept }] of member.datasets.entries()) {
      if (index === member.index || kept) continue;
      const other = this.#renderOther(input, member, index);
      if (!other.ok) return other;
      rendered.set(index, other.job);
    }
    return { ...lead, members: { ...this.found(member), rendered } };
  }

  #renderOther(input: Omit<ManifestInput, "settings" | "member" | "dataset">, member: MemberRecord, index: number): Rendering {
    const dataset = input.task.spec.datasets?.find(({ name }) => name === member.datasets[index]?.name);
    return tryRenderJob({ ...input, dataset, member: { ...member, index }, settings: this.#options.settings });
  }

  /** Of a build that was found. */
  found(record: MemberRecord): MembersPlan {
    return {
      record,
      rendered: new Map(),
      find: (index, lead) => this.#find(index, lead),
      render: (index, lead) => this.#renderAfter(index, lead, record),
    };
  }

  /** What earlier launches have found out, the newest first. */
  #finished(relaunchKey: string, namespace: string): MemberDataset[] {
    const createdAt = (job: Job) => job.metadata.creationTimestamp ?? "";
    return this.#options.cluster
      .cachedJobsOf(relaunchKey)
      .filter(({ metadata }) => !metadata.deletionTimestamp && metadata.namespace === namespace)
      .sort((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1))
      .filter(isRecorded)
      .flatMap((job) => finishedOf(readJobRecord(job)));
  }

  #find(index: number, lead: Job): Job | undefined {
    const number = readJobRecord(lead)?.request.number;
    if (number === undefined) return undefined;
    const jobs = findJobs(this.#options.cluster.cachedJobs(), number);
    return jobs.find(({ record: { member } }) => member?.index === index && member.lead?.uid === lead.metadata.uid)?.job;
  }

  #renderAfter(index: number, lead: Job, record: MemberRecord): Job | undefined {
    const said = readJobRecord(lead);
    const task = readTestTask(lead);
    const text = lead.spec?.template.metadata?.annotations?.[PARAMETERS_ANNOTATION];
    const parsed = text === undefined ? undefined : parseParameters(new TextEncoder().encode(text));
    if (!said || !task || !parsed?.ok) return undefined;
    const { request, relaunchKey, functionName } = said;
    const input = { task, function: readBuildFunction(functionName), parameters: parsed.parameters, request, relaunchKey };
    const rendered = this.#renderOther(input, record, index);
    return rendered.ok ? rendered.job : undefined;
  }
}

/** Its own, and what it was told of others. */
function finishedOf(record: JobRecord | undefined): MemberDataset[] {
  const { member, verdict, jobName, isCancelled, hasChecks } = record ?? {};
  if (!member || jobName === undefined) return [];
  const own = member.datasets[member.index];
  // Written down in case that the pod goes, before its log was checked.
  const isFinal = verdict && isAnswer(verdict) && !(hasChecks && awaitsChecks(verdict));
  const finished = own && isFinal && !isCancelled ? [{ name: own.name, kept: { jobName, verdict } }] : [];
  return [...finished, ...member.datasets.filter(({ kept }) => kept !== undefined)];
}
