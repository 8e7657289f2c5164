import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withFileLock } from "../../tools/machine/file-lock.ts";
import { CLUSTERS_DIRECTORY, CLUSTERS_LOCK, type ClusterPaths, clusterPaths } from "./cluster-paths.ts";
import { type ClusterAddresses, isForwarding, listRoutes, pickAddresses, setForwarding } from "./node/cluster-network.ts";

/** What is written to `cluster.json` before anything of the cluster is started. */
interface ClusterState {
  addresses: ClusterAddresses;
  /** The host passed no packets on before its first cluster came; the last one to go restores that. */
  forwardingWasOff: boolean;
}

/** The cluster's state; null when it has none (never begun, or gone). */
export function readState(paths: ClusterPaths): ClusterState | null {
  return existsSync(paths.state) ? JSON.parse(readFileSync(paths.state, "utf8")) : null;
}

/** Names of the clusters that have files on this machine, running or not. */
export function listClusters(): string[] {
  if (!existsSync(CLUSTERS_DIRECTORY)) return [];
  return readdirSync(CLUSTERS_DIRECTORY).sort();
}

/** Makes the cluster's directory and reserves addresses that no other cluster and no network of this machine has. */
export function reserveState(paths: ClusterPaths): Promise<ClusterState> {
  return withFileLock(
    CLUSTERS_LOCK,
    () => {},
    async () => {
      const others = listClusters().flatMap((name) => readState(clusterPaths(name)) ?? []);
      const addresses = pickAddresses([...(await listRoutes()), ...others.map((state) => state.addresses.block)]);
      const state = { addresses, forwardingWasOff: !isForwarding() || others.some((other) => other.forwardingWasOff) };
      mkdirSync(paths.directory, { recursive: true, mode: 0o700 });
      writeState(paths, state);
      setForwarding(true);
      return state;
    },
  );
}

function writeState(paths: ClusterPaths, state: ClusterState): void {
  const unfinished = `${paths.state}.unfinished`;
  writeFileSync(unfinished, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(unfinished, paths.state);
}

/** Removes the cluster's files, its addresses' reservation last, and with the last cluster what all share. */
export function releaseState(paths: ClusterPaths): Promise<void> {
  return withFileLock(
    CLUSTERS_LOCK,
    () => {},
    async () => {
      const state = readState(paths);
      if (existsSync(paths.directory)) {
        for (const entry of readdirSync(paths.directory)) {
          if (join(paths.directory, entry) !== paths.state) rmSync(join(paths.directory, entry), { recursive: true, force: true });
        }
      }
      const others = listClusters().filter((name) => name !== paths.name);
      if (others.length === 0 && state?.forwardingWasOff) setForwarding(false);
      rmSync(paths.directory, { recursive: true, force: true });
      if (others.length > 0) return;
      for (const directory of [CLUSTERS_DIRECTORY, join(CLUSTERS_DIRECTORY, "..")]) removeIfEmpty(directory);
      rmSync(CLUSTERS_LOCK, { force: true });
    },
  );
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOTEMPTY" && code !== "ENOENT") throw error;
  }
}
