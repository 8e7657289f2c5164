import { randomBytes } from "node:crypto";
import { type ArtifactsRecord, artifactsRecordSchema } from "../../core/artifacts/artifacts-record.ts";
import type { Job, Pod } from "../../core/kubernetes/objects.ts";
import { checksOf, commitsOf, containersOf, evidenceOf } from "../../core/logs/build-facts.ts";
import { BUILD_FILE, type BuildFile, renderBuildFile, storedPoints } from "../../core/logs/build-file.ts";
import { ARTIFACTS_FILE, type FilePart, INDEX_FILE, isWhole, layLogFile, logFile } from "../../core/logs/log-files.ts";
import { maskBuildFile } from "../../core/logs/masked-build.ts";
import type { Masker } from "../../core/logs/masking.ts";
import { type LogTail, renderStoredPage } from "../../core/logs/stored-page.ts";
import { detailBuild } from "../../core/report/build-details.ts";
import type { BuildReport } from "../../core/report/build-report.ts";
import type { LogSpool } from "../follow/log-spool.ts";
import type { LogStore } from "../stores/log-store.ts";
import { readStoredText } from "../stores/stored-text.ts";
import type { ContainerLog } from "./container-log.ts";

const READ_BYTES = 256 * 1024;
/** A record of 20,000 artifacts has some megabytes. */
const MAX_ARTIFACTS_BYTES = 32 * 2 ** 20;
/** Of the log in the page that is stored with it. */
const TAIL_BYTES = 32 * 1024;

export interface BuildParts {
  /** The build's own, in the store. */
  directory: string;
  report: BuildReport;
  /** Of Zuul's launches of it, those that are known; undefined where none is. */
  attempt: number | undefined;
  /** As a whole, where they are still there. */
  job: Job | undefined;
  pod: Pod | undefined;
  /** The test's first. */
  logs: readonly ContainerLog[];
  /** The container whose log is `console.log`. */
  test: string;
  masker: Masker;
  /** Why no more of the logs was read, as a clause. */
  withheld: string | undefined;
}

/** Stores all of a build: its logs, then what is known of it, then its page. In any number of tries; the last one stands. */
export async function storeBuild(store: LogStore, parts: BuildParts, signal: AbortSignal): Promise<BuildReport> {
  const { directory, masker, test, job, pod } = parts;
  const mark = randomBytes(4).toString("hex");
  const logs: BuildFile["logs"] = [];
  for (const log of parts.logs) logs.push(...(await storeLog(store, log, { directory, isTest: log.container === test, mark }, signal)));
  const artifacts = await readArtifacts(store, `${directory}/${ARTIFACTS_FILE}`, signal);
  const evidence = job && evidenceOf(job);
  const checks = job && checksOf(job);
  const { verdict } = parts.report;
  const build = { ...parts.report, ...(verdict ? { verdict: { ...verdict, ...(evidence ? { evidence } : {}) } } : {}) };
  const file: BuildFile = maskBuildFile(
    {
      ...{ version: 1, build, containers: containersOf(pod), commits: commitsOf(pod), logs, problems: problemsOf(parts, logs, mark) },
      ...(job ? { details: detailBuild(job) } : {}),
      ...(parts.attempt === undefined ? {} : { attempt: parts.attempt }),
      ...(artifacts ? { artifacts } : {}),
      ...(checks ? { checks } : {}),
    },
    masker,
  );
  await store.putText(`${directory}/${BUILD_FILE}`, renderBuildFile(file), signal);
  const spool = parts.logs.find(({ container }) => container === test)?.spool;
  await store.putText(`${directory}/${INDEX_FILE}`, renderStoredPage(file, spool && (await readTail(spool))), signal);
  return file.build;
}

/** Stores what is known of a build over several datasets as a whole: what came of each, and where that is. */
export async function storeWhole(
  store: LogStore,
  { directory, report, masker }: { directory: string; report: BuildReport; masker: Masker },
  signal: AbortSignal,
): Promise<BuildReport> {
  const whole = { version: 1 as const, build: report, containers: [], commits: [], logs: [], problems: [] };
  const file = maskBuildFile(whole, masker);
  await store.putText(`${directory}/${BUILD_FILE}`, renderBuildFile(file), signal);
  await store.putText(`${directory}/${INDEX_FILE}`, renderStoredPage(file, undefined), signal);
  return file.build;
}

function problemsOf({ logs, masker, withheld }: BuildParts, stored: BuildFile["logs"], mark: string): string[] {
  const isMarked = !stored.every(isWhole);
  return [
    ...(withheld === undefined ? [] : [`No more of the logs is kept than is here: ${withheld}.`]),
    ...logs.flatMap(({ container, problem, spool }) => {
      if (problem !== undefined) return [`The log of ${container} may not be whole: ${problem}.`];
      return spool?.isEnded === false ? [`The container ${container} still ran when its log was stored.`] : [];
    }),
    ...masker.unmasked.map(({ name, why }) => `${name} is not masked in the logs: ${why}.`),
    ...(isMarked ? [`Where a log's file says [turbo-hipster ${mark}: ...] the words are this program's, and no other's.`] : []),
  ];
}

async function storeLog(
  store: LogStore,
  { container, spool }: ContainerLog,
  { directory, isTest, mark }: { directory: string; isTest: boolean; mark: string },
  signal: AbortSignal,
): Promise<BuildFile["logs"]> {
  if (!spool) return [];
  const { size, cut, holes } = spool;
  const attempts = spool.attempts.filter(({ offset }) => offset <= size);
  const points = storedPoints(spool.points.filter(({ offset }) => offset <= size));
  const { parts, entry } = layLogFile({ container, size, cut, holes, attempts, points }, logFile(container, isTest), mark);
  await store.put(`${directory}/${entry.file}`, () => readParts(spool, parts), signal);
  return [entry];
}

async function* readParts(spool: LogSpool, parts: readonly FilePart[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if ("words" in part) yield Buffer.from(part.words);
    else yield* readSpool(spool, part.from, part.to);
  }
}

async function* readSpool(spool: LogSpool, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let offset = start; offset < end; ) {
    const read = await spool.read(offset, Math.min(READ_BYTES, end - offset));
    if (read.bytes.length === 0 || read.offset !== offset) throw new Error(`the spool has no byte ${offset} of ${end}`);
    yield read.bytes;
    offset += read.bytes.length;
  }
}

/** Without what colours a terminal and moves its cursor. */
async function readTail(spool: LogSpool): Promise<LogTail> {
  const start = Math.max(0, spool.size - TAIL_BYTES, spool.cut?.to ?? 0);
  const text = Buffer.concat(await Array.fromAsync(readSpool(spool, start, spool.size))).toString();
  const isCut = start > 0;
  const shown = (isCut ? text.slice(text.indexOf("\n") + 1) : text).replaceAll("\r\n", "\n");
  return { text: shown.replace(TERMINAL_CODE, "").replaceAll("\r", "\n"), isCut };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they are made of.
const TERMINAL_CODE = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

async function readArtifacts(store: LogStore, path: string, signal: AbortSignal): Promise<ArtifactsRecord | undefined> {
  const text = await readStoredText(store, path, MAX_ARTIFACTS_BYTES, signal);
  return text === undefined ? undefined : artifactsRecordSchema.parse(JSON.parse(text));
}
