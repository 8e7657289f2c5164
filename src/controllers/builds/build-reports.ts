import { setImmediate } from "node:timers/promises";
import { type CheckoutRecord, parseCheckoutRecord } from "../../core/checkout/record.ts";
import { parseMemberNumber } from "../../core/job/name.ts";
import { answerOf, findJob, findJobs, isLead, isMadeAfter, type JobRecord, readJobRecord } from "../../core/job/record.ts";
import { CHECKOUT_CONTAINER } from "../../core/kubernetes/container-roles.ts";
import type { Job, Pod } from "../../core/kubernetes/objects.ts";
import { type BuildState, observeBuild } from "../../core/observation/build-state.ts";
import { type BuildDetails, detailBuild } from "../../core/report/build-details.ts";
import { type BuildReport, reportBuild } from "../../core/report/build-report.ts";
import { reportMember, reportMembers } from "../../core/report/member-report.ts";
import type { BuildCluster } from "../ports.ts";

export interface BuildReportsOptions {
  cluster: Pick<BuildCluster, "cachedJobs" | "cachedPods" | "cachedJob" | "killOf" | "getJob">;
  /** Those under way at this replica. */
  live(): Iterable<BuildReport>;
  liveOf(number: string): BuildReport | undefined;
}

/** Looked at without a pause; each takes some ten microseconds. */
const JOBS_AT_ONCE = 200;
/** Of builds whose pages are looked at; each has up to some hundred kilobytes. */
const MAX_DETAILS = 32;

/** What is known of all builds, by this replica's caches: its own, those of other replicas, and those whose Jobs are kept. */
export class BuildReports {
  readonly #options: BuildReportsOptions;
  /** By the cache's object, which is another when the Job has changed. */
  readonly #records = new WeakMap<Job, { record: JobRecord | undefined }>();
  /** Of the Jobs that are over: nothing of them changes any more. */
  readonly #ended = new WeakMap<Job, BuildReport>();
  /** By uid, the latest used last. What they say never changes; who comes while one is read waits for the same. */
  readonly #details = new Map<string, Promise<BuildDetails | undefined>>();
  #listing: Promise<BuildReport[]> | undefined;

  constructor(options: BuildReportsOptions) {
    this.#options = options;
  }

  of(number: string): BuildReport | undefined {
    const { cluster, liveOf } = this.#options;
    const member = parseMemberNumber(number);
    if (member) return this.#reportMember(member);
    const live = liveOf(number);
    const job = live && cluster.cachedJob(live.namespace, live.jobName);
    const record = job && this.#record(job);
    const found = record ? { job, record } : live ? undefined : findJob(cluster.cachedJobs(), number);
    const report = live ?? (found && this.#report(found.job, found.record));
    return report && found?.record.member ? { ...report, members: this.#members(found.job, found.record) } : report;
  }

  /** The newest Job of this dataset. */
  #reportMember({ number, index }: { number: string; index: number }): BuildReport | undefined {
    const jobs = findJobs(this.#options.cluster.cachedJobs(), number).filter(({ record }) => record.member?.index === index);
    const [newest] = jobs.sort((one, other) => (isMadeAfter(one.job, other.job) ? -1 : 1));
    return newest && reportMember(newest.job, newest.record, this.#observe(newest.job, newest.record));
  }

  #members(lead: Job, record: JobRecord): BuildReport["members"] {
    const jobs = findJobs(this.#options.cluster.cachedJobs(), record.request.number);
    const isIts = ({ job, record: { member } }: (typeof jobs)[number]) => (member?.lead?.uid ?? job.metadata.uid) === lead.metadata.uid;
    return reportMembers(record, (index) => {
      const found = jobs.find((each) => each.record.member?.index === index && isIts(each));
      return found && { record: found.record, state: this.#observe(found.job, found.record) };
    });
  }

  /** Those that have not ended first, the newest of each first. Who asks meanwhile gets the same list. */
  all(): Promise<BuildReport[]> {
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  /** What its pod says was checked out. */
  commits({ namespace, jobName }: Pick<BuildReport, "namespace" | "jobName">): CheckoutRecord[] {
    const statuses = this.#options.cluster.cachedPods(namespace, jobName).flatMap(({ status }) => status?.initContainerStatuses ?? []);
    const ends = statuses.filter(({ name }) => name === CHECKOUT_CONTAINER).map(({ state }) => state?.terminated);
    return parseCheckoutRecord(ends.find((end) => end?.exitCode === 0)?.message ?? "");
  }

  /** What the whole Job says; undefined when there is none. Throws what the API server did not do. */
  details({ namespace, jobName }: Pick<BuildReport, "namespace" | "jobName">): Promise<BuildDetails | undefined> {
    const { cluster } = this.#options;
    const uid = cluster.cachedJob(namespace, jobName)?.metadata.uid;
    if (uid === undefined) return Promise.resolve(undefined);
    const known = this.#details.get(uid);
    this.#details.delete(uid);
    const details = known ?? this.#readDetails(namespace, jobName, uid);
    this.#details.set(uid, details);
    if (this.#details.size > MAX_DETAILS) this.#details.delete(this.#details.keys().next().value ?? "");
    return details;
  }

  async #readDetails(namespace: string, jobName: string, uid: string): Promise<BuildDetails | undefined> {
    try {
      const job = await this.#options.cluster.getJob(namespace, jobName);
      return job?.metadata.uid === uid ? detailBuild(job) : undefined;
    } catch (error) {
      this.#details.delete(uid);
      throw error;
    }
  }

  async #list(): Promise<BuildReport[]> {
    const reports = new Map<string, BuildReport>();
    let count = 0;
    for (const job of [...this.#options.cluster.cachedJobs()]) {
      const record = this.#record(job);
      if (record && isLead(record)) {
        const key = record.request.number;
        const report = this.#report(job, record);
        const other = reports.get(key);
        if (other === undefined || compareReports(report, other) < 0) reports.set(key, report);
      }
      count += 1;
      if (count % JOBS_AT_ONCE === 0) await setImmediate();
    }
    for (const report of this.#options.live()) reports.set(report.number, report);
    return [...reports.values()].sort(compareReports);
  }

  #record(job: Job): JobRecord | undefined {
    const known = this.#records.get(job) ?? { record: readJobRecord(job) };
    this.#records.set(job, known);
    return known.record;
  }

  #report(job: Job, record: JobRecord): BuildReport {
    const known = this.#ended.get(job);
    if (known) return known;
    const report = reportBuild(job, record, this.#observe(job, record));
    if (record.isDelivered && answerOf(record)) this.#ended.set(job, report);
    return report;
  }

  #observe(job: Job, record: JobRecord): BuildState {
    const { cluster } = this.#options;
    const pods: Pod[] = cluster.cachedPods(record.namespace, record.jobName);
    return observeBuild(job, pods, record.roles, cluster.killOf.bind(cluster));
  }
}

/** In the order of a list: what has not ended first, then the newest. */
function compareReports(one: BuildReport, other: BuildReport): number {
  const isEnded = Number(one.standing === "ended") - Number(other.standing === "ended");
  if (isEnded !== 0) return isEnded;
  const [a, b] = [timeOf(one), timeOf(other)];
  if (a === b) return one.number < other.number ? -1 : 1;
  return a > b ? -1 : 1;
}

function timeOf({ endedAt, times }: BuildReport): string {
  return endedAt ?? times[0]?.at ?? "";
}
