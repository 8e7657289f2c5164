import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheDirectory } from "../../tools/machine/cache-directory.ts";
import { clusterPaths } from "../local/cluster-paths.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** Where a demo of that name keeps what it needs while it runs. */
export interface DemoPaths {
  name: string;
  directory: string;
  record: string;
  repositories: string;
  /** The log store. */
  logs: string;
  config: string;
  operatorLog: string;
  serversLog: string;
  lock: string;
}

/** What must be known to take a demo down, whoever does it; written before anything is made. */
export interface DemoRecord {
  /** Context of the kubeconfig; null: the local cluster of the demo's name. */
  context: string | null;
  /** In the cluster of `context` it has a namespace of its own. */
  madeNamespace: boolean;
  /** The cluster had no TestTasks before: their definition goes with the demo. */
  madeDefinition: boolean;
  servers: ProcessIdentity | null;
  /** Left running on purpose (`--keep`). */
  isKept: boolean;
}

/** Root's are where the local cluster of the same name is found too, whatever the environment says. Throws InputError for a bad name. */
export function demoPaths(name: string): DemoPaths {
  const { name: checked } = clusterPaths(name);
  const isRoot = process.getuid?.() === 0;
  const base = isRoot ? "/var/lib/turbo-hipster/demos" : cacheDirectory("demos");
  const directory = join(base, checked);
  return {
    name,
    directory,
    record: join(directory, "demo.json"),
    repositories: join(directory, "repositories"),
    logs: join(directory, "logs"),
    config: join(directory, "operator.yaml"),
    operatorLog: join(directory, "operator.log"),
    serversLog: join(directory, "servers.log"),
    lock: isRoot ? `/run/lock/turbo-hipster-demo-${name}.lock` : `${directory}.lock`,
  };
}

/** The record of a demo that has made nothing so far. */
export function makeRecord(context: string | null): DemoRecord {
  return { context, madeNamespace: false, madeDefinition: false, servers: null, isKept: false };
}

/** What an earlier demo wrote; null when there is nothing of one. */
export function readRecord(paths: DemoPaths): DemoRecord | null {
  if (!existsSync(paths.directory)) return null;
  // Killed between making the directory and writing: it has made nothing else.
  if (!existsSync(paths.record)) return makeRecord(null);
  return JSON.parse(readFileSync(paths.record, "utf8")) as DemoRecord;
}

export function writeRecord(paths: DemoPaths, record: DemoRecord): void {
  mkdirSync(paths.directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${paths.record}.unfinished`, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(`${paths.record}.unfinished`, paths.record);
}

/** Removes all of the demo's files, and the directories around them that nobody else uses. */
export function removeRecord(paths: DemoPaths): void {
  rmSync(paths.directory, { recursive: true, force: true });
  try {
    for (let parent = dirname(paths.directory); parent.includes("turbo-hipster"); parent = dirname(parent)) rmdirSync(parent);
  } catch {
    // Not empty: others use it.
  }
}
