import { baselineOf, type KeptAmounts } from "../../core/checks/baseline.ts";
import { amountsOf, type CheckResult } from "../../core/checks/check-result.ts";
import { taskOfJob } from "../../core/checks/compared-build.ts";
import { BUILD_FILE, parseStoredChecks } from "../../core/logs/build-file.ts";
import type { BuildReport } from "../../core/report/build-report.ts";
import type { Check } from "../../core/test-task/schema/check.ts";
import { makeConcurrencyLimit } from "../../runtime/concurrency-limit.ts";
import type { LogStore } from "../stores/log-store.ts";
import type { StoredBuild, StoredBuilds } from "../stores/stored-builds.ts";
import { readStoredText } from "../stores/stored-text.ts";

/** Of all tasks; older ones are not looked at. */
const MAX_BUILDS = 2000;
const READS_AT_ONCE = 8;
/** A larger `build.json` says nothing here: it may hold the names of twenty thousand artifacts. */
const MAX_BUILD_BYTES = 4 * 2 ** 20;
/** What was read is held, of a kilobyte each; builds do not change once they are stored. */
const MAX_HELD_ENTRIES = 2000;
/** Each at most some 24 KiB, see `judgeChecks`. */
const MAX_HELD_CHECKS = 200;

/** What checks have found in the builds that are kept. Rejects as the store does. */
export class KeptBuilds {
  readonly #store: LogStore;
  readonly #builds: StoredBuilds;
  readonly #reads = makeConcurrencyLimit(READS_AT_ONCE);
  readonly #entries = new Map<string, { directory: string; report: BuildReport } | undefined>();
  readonly #checks = new Map<string, CheckResult[] | undefined>();

  constructor(store: LogStore, builds: StoredBuilds) {
    this.#store = store;
    this.#builds = builds;
  }

  /** Of a task's builds that `isWanted`, the newest first. */
  async *checksOf(
    whose: { task: string; namespace: string | undefined },
    isWanted: (report: BuildReport) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<CheckResult[]> {
    yield* this.#checksIn(await this.#newestOf(whose, signal), isWanted, signal);
  }

  async #newestOf({ task, namespace }: { task: string; namespace: string | undefined }, signal: AbortSignal): Promise<StoredBuild[]> {
    const newest = await this.#builds.newest(MAX_BUILDS, undefined, signal);
    return newest.filter(({ entry }) => (namespace === undefined || entry.namespace === namespace) && taskOfJob(entry.jobName) === task);
  }

  async *#checksIn(
    own: readonly StoredBuild[],
    isWanted: (report: BuildReport) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<CheckResult[]> {
    for (let at = 0; at < own.length; at += READS_AT_ONCE) {
      const some = own.slice(at, at + READS_AT_ONCE);
      for (const checks of await Promise.all(some.map((stored) => this.#read(stored, isWanted, signal)))) if (checks) yield checks;
    }
  }

  /** Of each check with a baseline what the builds came to that `isWanted` says of their branch. */
  async amountsFor(
    checks: readonly Check[],
    { task, namespace, branch }: { task: string; namespace: string | undefined; branch: string | undefined },
    isWanted: (report: BuildReport, branch: string | undefined) => boolean,
    signal: AbortSignal,
  ): Promise<Map<string, KeptAmounts>> {
    const kept = new Map<string, KeptAmounts>();
    // Of a large store it takes long to list them: once for all checks.
    const own = checks.some(baselineOf) ? await this.#newestOf({ task, namespace }, signal) : [];
    for (const check of checks) {
      const baseline = baselineOf(check);
      if (!baseline) continue;
      const of = baseline.branch ?? branch;
      const builds: Map<string, number>[] = [];
      for await (const results of this.#checksIn(own, (report) => isWanted(report, of), signal)) {
        const result = results.find(({ name, kind }) => name === check.name && check[kind] !== undefined);
        if (result) builds.push(amountsOf(result));
        if (builds.length >= baseline.last) break;
      }
      kept.set(check.name, { branch: of, builds });
    }
    return kept;
  }

  async #read(stored: StoredBuild, isWanted: (report: BuildReport) => boolean, signal: AbortSignal): Promise<CheckResult[] | undefined> {
    const { path } = stored;
    const entry = await this.#held(this.#entries, MAX_HELD_ENTRIES, path, () => this.#builds.readEntry(stored, signal));
    if (!entry || !isWanted(entry.report)) return undefined;
    return this.#held(this.#checks, MAX_HELD_CHECKS, path, async () => {
      const text = await readStoredText(this.#store, `${entry.directory}/${BUILD_FILE}`, MAX_BUILD_BYTES, signal);
      return text === undefined ? undefined : parseStoredChecks(text);
    });
  }

  async #held<T>(held: Map<string, T>, most: number, path: string, read: () => Promise<T>): Promise<T | undefined> {
    if (held.has(path)) return held.get(path);
    const value = await this.#reads.run(read);
    held.set(path, value);
    for (const oldest of held.keys()) {
      if (held.size <= most) break;
      held.delete(oldest);
    }
    return value;
  }
}
