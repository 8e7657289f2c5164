import { isBuildNumber, jobNumber, pageNumber, parseMemberNumber } from "../../core/job/name.ts";
import { ARTIFACTS_FOLDER } from "../../core/logs/build-directory.ts";
import { BUILD_FILE, type BuildFile, parseBuildFile } from "../../core/logs/build-file.ts";
import type { BuildReport } from "../../core/report/build-report.ts";
import type { Clock } from "../../runtime/clock.ts";
import { makeConcurrencyLimit } from "../../runtime/concurrency-limit.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { AnswerLimit } from "./answer-limit.ts";
import type { LogStore } from "./log-store.ts";
import type { StoredBuilds } from "./stored-builds.ts";
import { StoredLog, type StoreReading } from "./stored-log.ts";

/** Builds whose reports are held for who lists builds; each takes about a kilobyte. */
const MAX_RECENT = 2000;
/** Read at once, so that a store is not asked for more than it gives. */
const READS_AT_ONCE = 8;
/** Builds whose pages are looked at, and bytes of their files: a hundred kilobytes as a rule, some ten megabytes where a test wants that. */
const MAX_FOUND = 32;
const MAX_FOUND_BYTES = 16 * 2 ** 20;
/** What is stored does not change, but may be removed. */
const FOUND_MS = 60_000;
const LIST_MS = 15_000;

interface Found {
  readonly build: Promise<FoundBuild | undefined>;
  readonly atMs: number;
  /** Once it is there. */
  bytes: number;
}

interface StoredBuildSourceOptions {
  store: LogStore;
  builds: StoredBuilds;
  clock: Clock;
  logger: Logger;
}

/** The builds in a store, for pages: what was asked for lately is held. */
export class StoredBuildSource {
  readonly #options: StoredBuildSourceOptions;
  readonly #over = new AbortController();
  readonly #reads = makeConcurrencyLimit(READS_AT_ONCE);
  readonly #answers: AnswerLimit;
  /** By number, the latest asked for last. */
  readonly #found = new Map<string, Found>();
  /** By the path of their entries, which is another one for each build. */
  #reports: ReadonlyMap<string, BuildReport | undefined> = new Map();
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #listing: Promise<void> | undefined;

  constructor(options: StoredBuildSourceOptions) {
    this.#options = options;
    this.#answers = new AnswerLimit(options.clock);
  }

  /** undefined where all of a build of this number is not there, or not there yet. */
  async find(number: string): Promise<FoundBuild | undefined> {
    // Whoever makes numbers up does not get to the store.
    if (!isBuildNumber(number) && !parseMemberNumber(number)) return undefined;
    const now = this.#options.clock.monotonicMs();
    const known = this.#found.get(number);
    this.#found.delete(number);
    const found = known !== undefined && now - known.atMs < FOUND_MS ? known : { build: this.#read(number), atMs: now, bytes: 0 };
    this.#found.set(number, found);
    this.#letGo();
    const forget = () => this.#found.get(number) === found && this.#found.delete(number);
    try {
      const build = await this.#answers.run(() => found.build);
      if (build === undefined) forget();
      else {
        found.bytes = build.bytes;
        this.#letGo();
      }
      return build;
    } catch (error) {
      forget();
      throw error;
    }
  }

  /** Those that nobody has asked for longest. */
  #letGo(): void {
    let bytes = this.#found.values().reduce((sum, found) => sum + found.bytes, 0);
    for (const [number, found] of this.#found) {
      if (this.#found.size <= MAX_FOUND && bytes <= MAX_FOUND_BYTES) return;
      this.#found.delete(number);
      bytes -= found.bytes;
    }
  }

  /** The newest first. What is known is told at once, and looked at again for who asks next; the first look is waited for. */
  async recent(): Promise<readonly BuildReport[]> {
    const { clock, logger } = this.#options;
    if (this.#listing === undefined && clock.monotonicMs() - this.#listedAtMs > LIST_MS) {
      this.#listing = this.#list().finally(() => {
        this.#listing = undefined;
      });
      this.#listing.catch((error) => {
        if (!this.#over.signal.aborted) logger.warn({ err: coerceError(error) }, "could not list the builds in the log store");
      });
    }
    if (this.#listedAtMs === Number.NEGATIVE_INFINITY) await this.#answers.run(async () => this.#listing);
    // What one of several datasets came to stands with the build that it is part of.
    return [...this.#reports.values()].filter((report) => report !== undefined).filter(({ member }) => member === undefined);
  }

  /** Breaks what is being read. */
  async stop(): Promise<void> {
    this.#over.abort(new Error("the program ends"));
    await this.#listing?.catch(() => {});
  }

  async #list(): Promise<void> {
    const { builds, clock } = this.#options;
    const { signal } = this.#over;
    const newest = await builds.newest(MAX_RECENT, undefined, signal);
    const reports = newest.map(async (stored) => {
      const known = this.#reports.has(stored.path);
      const report = known ? this.#reports.get(stored.path) : await this.#reads.run(() => builds.readReport(stored, signal));
      return [stored.path, report] as const;
    });
    this.#reports = new Map(await Promise.all(reports));
    this.#listedAtMs = clock.monotonicMs();
  }

  #read(number: string): Promise<FoundBuild | undefined> {
    const { store, builds } = this.#options;
    const { signal } = this.#over;
    return this.#reads.run(async () => {
      const directory = await builds.find(number, signal);
      if (directory === undefined) return undefined;
      const part = await store.read(`${directory}/${BUILD_FILE}`, { start: 0 }, signal);
      const file = part && parseBuildFile(Buffer.concat(await part.body.toArray()).toString());
      const isIt =
        file !== undefined &&
        file.build.number === number &&
        [pageNumber(file.build.jobName), jobNumber(file.build.jobName)].includes(number);
      return isIt && part ? new FoundBuild(store, directory, { file, bytes: part.bytes }, { answers: this.#answers, signal }) : undefined;
    });
  }
}

export class FoundBuild {
  readonly file: BuildFile;
  /** Of `file`, as it is stored. */
  readonly bytes: number;
  readonly #store: LogStore;
  readonly #directory: string;
  readonly #logs: ReadonlyMap<string, StoredLog>;
  readonly #reading: StoreReading;

  constructor(store: LogStore, directory: string, { file, bytes }: { file: BuildFile; bytes: number }, reading: StoreReading) {
    this.file = file;
    this.bytes = bytes;
    this.#store = store;
    this.#directory = directory;
    this.#logs = new Map(file.logs.map((entry) => [entry.container, new StoredLog(store, directory, entry, reading)]));
    this.#reading = reading;
  }

  log(container: string): StoredLog | undefined {
    return this.#logs.get(container);
  }

  /** Bytes of one of its artifacts, `[start, end)`; undefined where it is gone. */
  async artifact(path: string, range: { start: number; end: number }): Promise<AsyncIterable<Uint8Array> | undefined> {
    const { answers, signal } = this.#reading;
    const read = () => this.#store.read(`${this.#directory}/${ARTIFACTS_FOLDER}/${path}`, range, signal);
    const part = await answers.run(read, (late) => late?.body.destroy());
    return part?.body;
  }
}
