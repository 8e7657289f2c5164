import { pageNumber } from "../../core/job/name.ts";
import { type BuildPlace, buildDirectories, INDEX_FOLDER, memberDirectories } from "../../core/logs/build-directory.ts";
import { type IndexEntry, parseIndexPath, renderIndexPath } from "../../core/logs/build-index.ts";
import type { BuildReport } from "../../core/report/build-report.ts";
import { buildReportSchema } from "../../core/report/report-schemas.ts";
import { type LogStore, StoreError } from "./log-store.ts";
import { readStoredText } from "./stored-text.ts";

/** In a build's directory: which build's it is. */
const CLAIM = ".build";
/** Below it a file for each number that says where the build is. */
const NUMBERS_FOLDER = "_numbers";
/** Of an entry, a claim or a number's file. */
const MAX_TEXT_BYTES = 64 * 1024;
const PAGE = 1000;
const MAX_DAYS = 4000;

/** A build in a store, and what its entry says. */
export interface StoredBuild {
  entry: IndexEntry;
  /** Of the entry. */
  path: string;
}

export interface EndedBuild extends BuildPlace {
  /** By the API server's clock; the same however often it is asked. */
  endedAt: Date;
  /** Untrusted. */
  logPath: string | null;
  /** Of one of several datasets: what it is called by, and the build that it is part of, in whose directory it has its own. */
  member?: { dataset: string; of: EndedBuild } | undefined;
}

/** The builds of one installation in a store: each in a directory of its own, and known to an index by the time when it ended. */
export class StoredBuilds {
  readonly #store: LogStore;

  constructor(store: LogStore) {
    this.#store = store;
  }

  /**
   * Gives a build its directory, the same each time: LOG_PATH's unless there are files of somebody else, above or below, too. `why` says in a
   * clause why it is another one.
   */
  async begin(build: EndedBuild, signal: AbortSignal): Promise<{ directory: string; why: string | undefined }> {
    const { member } = build;
    const whole = member && (await this.begin(member.of, signal));
    const { wanted, own, why } = whole ? memberDirectories(whole, member.dataset, build) : buildDirectories(build.logPath, build);
    // What it once has it keeps, though the other build may be gone by now.
    const hasOwn = wanted !== own && (await this.#readText(`${own}/${CLAIM}`, signal)) === claimOf(build);
    const directory = !hasOwn && (await this.#claim(wanted, build, signal)) ? wanted : own;
    if (directory !== wanted && !(await this.#claim(own, build, signal))) {
      throw new StoreError("TH_STORE_REFUSED", `${own} in the log store ${this.#store.name} holds files of somebody else: remove them`);
    }
    await this.#store.putText(renderIndexPath({ ...build, bytes: undefined }), JSON.stringify({ directory }), signal);
    return { directory, why: why ?? (directory === wanted ? undefined : "LOG_PATH is another build's") };
  }

  /** All its files are stored; `report` is for who lists builds. */
  async finish(build: EndedBuild, directory: string, report: BuildReport, signal: AbortSignal): Promise<void> {
    let bytes = 0;
    // What lies in directories of members is counted with them.
    const isIts = (path: string) => report.members === undefined || !path.slice(directory.length + 1).includes("/");
    for await (const file of this.#files(directory, signal)) if (isIts(file.path)) bytes += file.bytes;
    await this.#store.putText(numberPath(pageNumber(build.jobName)), JSON.stringify({ directory }), signal);
    await this.#store.putText(renderIndexPath({ ...build, bytes }), JSON.stringify({ directory, build: report }), signal);
    await this.#store.remove(renderIndexPath({ ...build, bytes: undefined }), signal);
  }

  /** The directory of the build with this number, of several the one that was stored last; undefined where there is none. */
  async find(number: string, signal: AbortSignal): Promise<string | undefined> {
    return readDirectory(await this.#readText(numberPath(number), signal));
  }

  /** What `finish` was given of a build; undefined where that is not there any more, or was written by another version. */
  async readReport(stored: StoredBuild, signal: AbortSignal): Promise<BuildReport | undefined> {
    return (await this.readEntry(stored, signal))?.report;
  }

  /** The same, and where its files are. */
  async readEntry({ path }: StoredBuild, signal: AbortSignal): Promise<{ directory: string; report: BuildReport } | undefined> {
    const text = await this.#readText(path, signal);
    const directory = readDirectory(text);
    const report = buildReportSchema.safeParse(parseObject(text).build).data;
    return directory === undefined || report === undefined ? undefined : { directory, report };
  }

  /** All entries, oldest first. */
  async *oldestFirst(signal: AbortSignal): AsyncGenerator<StoredBuild> {
    for await (const { path } of this.#files(INDEX_FOLDER, signal)) {
      const entry = parseIndexPath(path);
      if (entry) yield { entry, path };
    }
  }

  /** Entries of builds whose files are all there, newest first; those before `before` (an entry's path). */
  async newest(limit: number, before: string | undefined, signal: AbortSignal): Promise<StoredBuild[]> {
    const found: StoredBuild[] = [];
    for (const day of (await this.#store.folders(INDEX_FOLDER, MAX_DAYS, signal)).reverse()) {
      if (before !== undefined && `${INDEX_FOLDER}/${day}/` > before) continue;
      const ofDay: StoredBuild[] = [];
      for await (const { path } of this.#files(`${INDEX_FOLDER}/${day}`, signal)) {
        const entry = parseIndexPath(path);
        if (entry?.bytes !== undefined && (before === undefined || path < before)) ofDay.push({ entry, path });
      }
      found.push(...ofDay.reverse().slice(0, limit - found.length));
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Its files, then what says whose they are, and its entry last: so that a removal that is cut off goes on. */
  async remove({ entry, path }: StoredBuild, signal: AbortSignal): Promise<void> {
    const directory = readDirectory(await this.#readText(path, signal));
    const number = pageNumber(entry.jobName);
    if (directory !== undefined && (await this.find(number, signal)) === directory) await this.#store.remove(numberPath(number), signal);
    if (directory !== undefined && (await this.#readText(`${directory}/${CLAIM}`, signal)) === claimOf(entry)) {
      for await (const file of this.#files(directory, signal))
        if (file.path !== `${directory}/${CLAIM}`) await this.#store.remove(file.path, signal);
      await this.#store.remove(`${directory}/${CLAIM}`, signal);
    }
    await this.#store.remove(path, signal);
  }

  async #claim(directory: string, build: EndedBuild, signal: AbortSignal): Promise<boolean> {
    const claim = `${directory}/${CLAIM}`;
    const there = await this.#readText(claim, signal);
    if (there !== undefined) return there === claimOf(build);
    if (await this.#isBelowAnother(directory, build, signal)) return false;
    if ((await this.#store.list(directory, { limit: 1 }, signal)).files.length > 0) return false;
    // Members of one build come at the same time, each for the directory of the whole.
    if (!(await this.#store.createText(claim, claimOf(build), signal))) return (await this.#readText(claim, signal)) === claimOf(build);
    // Another one may have come above or below in the same moment: each has created its file first and looks then, so that one of both sees it.
    if (!(await this.#isBelowAnother(directory, build, signal)) && !(await this.#isAboveAnother(directory, signal))) return true;
    await this.#store.remove(claim, signal);
    return false;
  }

  async #isBelowAnother(directory: string, { member }: EndedBuild, signal: AbortSignal): Promise<boolean> {
    const parts = directory.split("/");
    for (let depth = 1; depth < parts.length; depth += 1) {
      const claim = `${parts.slice(0, depth).join("/")}/${CLAIM}`;
      if (!(await this.#store.stat(claim, signal))) continue;
      if (!member || (await this.#readText(claim, signal)) !== claimOf(member.of)) return true;
    }
    return false;
  }

  async #isAboveAnother(directory: string, signal: AbortSignal): Promise<boolean> {
    for await (const { path } of this.#files(directory, signal))
      if (path.endsWith(`/${CLAIM}`) && path !== `${directory}/${CLAIM}`) return true;
    return false;
  }

  async *#files(folder: string, signal: AbortSignal): AsyncGenerator<{ path: string; bytes: number }> {
    let after: string | undefined;
    for (;;) {
      const { files, isMore } = await this.#store.list(folder, { ...(after === undefined ? {} : { after }), limit: PAGE }, signal);
      yield* files;
      after = files.at(-1)?.path;
      if (!isMore || after === undefined) return;
    }
  }

  #readText(path: string, signal: AbortSignal): Promise<string | undefined> {
    return readStoredText(this.#store, path, MAX_TEXT_BYTES, signal);
  }
}

function claimOf({ namespace, jobName }: BuildPlace): string {
  return `${namespace}/${jobName}\n`;
}

function numberPath(number: string): string {
  return `${NUMBERS_FOLDER}/${number}.json`;
}

function readDirectory(text: string | undefined): string | undefined {
  const { directory } = parseObject(text);
  return typeof directory === "string" && directory !== "" ? directory : undefined;
}

function parseObject(text = "{}"): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
