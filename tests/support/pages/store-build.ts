import type { z } from "zod";
import { type buildFileSchema, renderBuildFile, storedPoints } from "../../../src/core/logs/build-file.ts";
import type { BuildReport } from "../../../src/core/report/build-report.ts";
import type { LogStore } from "../../../src/logs/stores/log-store.ts";
import { StoredBuilds } from "../../../src/logs/stores/stored-builds.ts";
import { GrownLog } from "./grown-log.ts";
import { DETAILS } from "./sample-pages.ts";

type FileInput = z.input<typeof buildFileSchema>;

export interface BuildToStore {
  report: BuildReport;
  /** What its test printed. */
  text: string;
  /** Cut out of it; in the file our words stand there. */
  cut?: { from: number; to: number };
  artifacts?: Record<string, string>;
  changes?: Partial<FileInput>;
}

const WORDS = "\n[words of ours]\n";

/** Stores a build as the operator does. Resolves to its directory. */
export async function storeBuild(store: LogStore, { report, text, cut, artifacts = {}, changes = {} }: BuildToStore): Promise<string> {
  const { signal } = new AbortController();
  const builds = new StoredBuilds(store);
  const { namespace, jobName, endedAt = "" } = report;
  const ended = { namespace, jobName, endedAt: new Date(endedAt), logPath: `logs/${jobName}` };
  const { directory } = await builds.begin(ended, signal);
  const bytes = Buffer.from(text);
  const head = cut ? cut.from : bytes.length;
  const parts = cut ? [bytes.subarray(0, head), Buffer.from(WORDS), bytes.subarray(cut.to)] : [bytes];
  await store.putText(`${directory}/console.log`, Buffer.concat(parts).toString(), signal);
  for (const [path, content] of Object.entries(artifacts)) await store.putText(`${directory}/artifacts/${path}`, content, signal);
  const files = Object.entries(artifacts).map(([path, content]) => ({ path, bytes: Buffer.byteLength(content) }));
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  const file: FileInput = {
    ...{
      version: 1,
      build: report,
      details: DETAILS,
      commits: [],
      containers: DETAILS.containers.map(({ name, image }) => ({ name, image })),
    },
    logs: [
      {
        ...{ container: "test", file: "console.log", bytes: bytes.length, holes: [], attempts: [], ...(cut ? { cut } : {}) },
        runs: [
          { offset: 0, at: 0, bytes: head },
          ...(cut ? [{ offset: cut.to, at: head + WORDS.length, bytes: bytes.length - cut.to }] : []),
        ],
        points: storedPoints(new GrownLog(bytes).points()),
      },
    ],
    artifacts: { files, bytes: total, leftOut: [], leftOutCount: 0 },
    ...changes,
  };
  await store.putText(`${directory}/build.json`, renderBuildFile(file), signal);
  await builds.finish(ended, directory, report, signal);
  return directory;
}
