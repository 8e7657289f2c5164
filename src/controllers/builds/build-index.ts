import type { RequestIdentity } from "../../core/job/name.ts";
import { isSameRelaunch, launchOf, requestOf } from "../../core/job/relaunch.ts";

/** By what a build is looked for. */
export interface IndexedBuild {
  readonly number: string;
  readonly namespace: string;
  /** Its Job's. */
  readonly jobName: string;
}

/** As its Job says it: `payloadHash` is null on Jobs that do not tell, and those are found by any payload. */
export type IndexedRequest = Omit<RequestIdentity, "payloadHash"> & { readonly payloadHash: string | null };

/** The builds of this replica, by all that somebody may know of them. */
export class BuildIndex<B extends IndexedBuild> {
  readonly #byNumber = new Map<string, B>();
  /** Whatever became of its TestTask, a request that comes again finds its build. */
  readonly #byRequest = new Map<string, B[]>();
  readonly #byJob = new Map<string, B>();
  /** By what all launches of one build by Zuul share. */
  readonly #byLaunch = new Map<string, Set<B>>();
  /** What to take out again with each. */
  readonly #entries = new Map<B, { requests: Set<string>; jobs: Set<string>; relaunchKey: string | undefined }>();

  values(): IteratorObject<B> {
    return this.#entries.keys();
  }

  ofNumber(number: string): B | undefined {
    return this.#byNumber.get(number);
  }

  /**
   * Of the namespace where the function's task is, undefined where there is none: what a Job elsewhere says of its request was perhaps copied by who
   * may make Jobs there.
   */
  ofRequest(request: RequestIdentity, namespace: string | undefined): B | undefined {
    return this.#find(requestKey(request), namespace) ?? this.#find(requestKey({ ...request, payloadHash: null }), namespace);
  }

  #find(key: string, namespace: string | undefined): B | undefined {
    return this.#byRequest.get(key)?.findLast((build) => namespace === undefined || build.namespace === namespace);
  }

  ofJob(namespace: string, jobName: string): B | undefined {
    return this.#byJob.get(jobKey(namespace, jobName));
  }

  /** Builds of Zuul's build that this one is a launch of: those that it may be answered by, or all. */
  ofRelaunchKey(relaunchKey: string): B[] {
    const launches = new Set([...this.ofLaunch(relaunchKey), ...(this.#byLaunch.get(requestOf(relaunchKey)) ?? [])]);
    return [...launches].filter((build) => isSameRelaunch(this.#entries.get(build)?.relaunchKey ?? "", relaunchKey));
  }

  ofLaunch(relaunchKey: string): B[] {
    return [...(this.#byLaunch.get(launchKey(relaunchKey)) ?? [])];
  }

  /** Without a request where another build of its number is the one that answers. */
  add(build: B, request: IndexedRequest | undefined, relaunchKey: string | undefined): void {
    this.#entries.set(build, { requests: new Set(), jobs: new Set(), relaunchKey });
    if (request) {
      this.#byNumber.set(build.number, build);
      this.addRequest(build, request);
    }
    this.addJob(build);
    if (relaunchKey === undefined) return;
    const key = launchKey(relaunchKey);
    const alike = this.#byLaunch.get(key) ?? new Set();
    this.#byLaunch.set(key, alike.add(build));
  }

  /** One more request that it answers. */
  addRequest(build: B, request: IndexedRequest): void {
    const key = requestKey(request);
    this.#entries.get(build)?.requests.add(key);
    this.#byRequest.set(key, [...without(this.#byRequest.get(key), build), build]);
  }

  /** Its Job, which may have got another name than it was to have, or another one of several. */
  addJob(build: B, jobName = build.jobName): void {
    const key = jobKey(build.namespace, jobName);
    this.#entries.get(build)?.jobs.add(key);
    this.#byJob.set(key, build);
  }

  delete(build: B): void {
    const entry = this.#entries.get(build);
    if (!entry) return;
    this.#entries.delete(build);
    remove(this.#byNumber, [build.number], build);
    for (const key of entry.requests) {
      const left = (this.#byRequest.get(key) ?? []).filter((each) => each !== build);
      if (left.length > 0) this.#byRequest.set(key, left);
      else this.#byRequest.delete(key);
    }
    remove(this.#byJob, entry.jobs, build);
    if (entry.relaunchKey === undefined) return;
    const key = launchKey(entry.relaunchKey);
    const alike = this.#byLaunch.get(key);
    alike?.delete(build);
    if (alike?.size === 0) this.#byLaunch.delete(key);
  }
}

/** Only what is still its own: another build may have taken its place. */
function remove<B>(map: Map<string, B>, keys: Iterable<string>, build: B): void {
  for (const key of keys) if (map.get(key) === build) map.delete(key);
}

/** Of a namespace the build that came last is the one that answers. */
function without<B extends IndexedBuild>(builds: readonly B[] = [], { namespace }: B): B[] {
  return builds.filter((each) => each.namespace !== namespace);
}

function requestKey({ server, functionName, unique, payloadHash }: IndexedRequest): string {
  return JSON.stringify([server, functionName, unique, payloadHash]);
}

function launchKey(relaunchKey: string): string {
  return launchOf(relaunchKey) ?? relaunchKey;
}

function jobKey(namespace: string, jobName: string): string {
  return `${namespace}/${jobName}`;
}
