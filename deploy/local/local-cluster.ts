import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { InputError, TurboHipsterError } from "../../src/runtime/errors.ts";
import { removeCgroup } from "../../tools/machine/cgroups.ts";
import { withFileLock } from "../../tools/machine/file-lock.ts";
import { findPrerequisites, INSTEAD, requireClusterHost } from "../../tools/machine/prerequisites.ts";
import { type ClusterPaths, clusterPaths } from "./cluster-paths.ts";
import { readState, releaseState, reserveState } from "./cluster-state.ts";
import { type ClusterAddresses, disconnectNode } from "./node/cluster-network.ts";
import { findNode, killNode } from "./node/cluster-node.ts";
import type { ClusterPlan } from "./node/cluster-programs.ts";
import { importImages } from "./node/containerd-images.ts";
import { buildParts, CLUSTER_PARTS } from "./parts.ts";
import { isClusterUp, startCluster } from "./start-cluster.ts";

export const DEFAULT_CLUSTER = "turbo-hipster";

type Log = (line: string) => void;

/** A cluster that runs. */
export interface LocalCluster {
  name: string;
  /** The admin's; for kubectl, helm and client-node. */
  kubeconfig: string;
  /** Address of the only node, where the API server is as well. The host reaches it, the pods' and the services' addresses. */
  nodeAddress: string;
  /** The host's address as pods see it. They reach what listens there or on all addresses of the host. */
  hostAddress: string;
  directory: string;
  kubectl: string;
  helm: string;
}

/**
 * Brings the cluster up, or finds it up: resolves when its node is Ready and pods can be created in the namespace `default`. What an earlier
 * run left behind half-made or half-dead is cleared up first. Throws InputError where it can't be, with what to do instead.
 */
export async function upCluster({ name, log }: { name: string; log: Log }): Promise<LocalCluster> {
  const paths = clusterPaths(name);
  const { plan, programs } = await prepare(log).catch((error) => {
    throw withAdvice(error);
  });
  return withFileLock(paths.lock, waiting(name, log), async () => {
    const cluster = makeLocalCluster(paths, programs);
    const state = readState(paths);
    const node = findNode(paths);
    if (state !== null && node !== null && (await isClusterUp({ ...plan, paths, addresses: state.addresses }, node))) {
      log(`cluster ${name} is up already`);
      return cluster(state.addresses);
    }
    if (existsSync(paths.directory)) log(`clearing up what is left of cluster ${name}`);
    await clearUp(paths);
    const { addresses } = await reserveState(paths);
    try {
      log(`starting cluster ${name} at ${addresses.node}`);
      await startCluster({ ...plan, paths, addresses }, programs);
    } catch (error) {
      // The logs stay for looking at; the next `up` or `down` removes them.
      await killNode(paths);
      throw withAdvice(error);
    }
    return cluster(addresses);
  });
}

/** Takes the cluster away with everything it made; fine when there is none. */
export async function downCluster({ name, log }: { name: string; log: Log }): Promise<void> {
  requireClusterHost();
  const paths = clusterPaths(name);
  await withFileLock(paths.lock, waiting(name, log), async () => {
    await clearUp(paths);
    rmSync(paths.lock, { force: true });
  });
}

/** Imports the images of an archive into the cluster; gives their names as pods may write them. */
export async function loadImage(name: string, archive: string): Promise<string[]> {
  const paths = clusterPaths(name);
  if (findNode(paths) === null) throw new InputError(`cluster ${name} is not up; npm run cluster -- up${nameFlag(name)}`);
  return importImages(paths, archive);
}

/** ` --name NAME`, where it is needed. */
export function nameFlag(name: string): string {
  return name === DEFAULT_CLUSTER ? "" : ` --name ${name}`;
}

/** The cluster of that name if it is up, by the look of its processes alone. */
export async function findCluster(name: string, log: Log): Promise<LocalCluster | null> {
  const paths = clusterPaths(name);
  const state = readState(paths);
  if (state === null || findNode(paths) === null) return null;
  return makeLocalCluster(paths, await buildParts(CLUSTER_PARTS, log))(state.addresses);
}

/** The error with what to do instead, unless it is a fault of this program. */
function withAdvice(error: unknown): unknown {
  return error instanceof TurboHipsterError ? new InputError(`${error.message}\n${INSTEAD}`, { cause: error }) : error;
}

function waiting(name: string, log: Log): () => void {
  return () => log(`waiting for another up or down of cluster ${name} to end`);
}

async function prepare(log: Log): Promise<{ plan: Pick<ClusterPlan, "runc" | "cniPlugins">; programs: string }> {
  const plan = await findPrerequisites(log);
  return { plan, programs: await buildParts(CLUSTER_PARTS, log) };
}

function makeLocalCluster(paths: ClusterPaths, programs: string): (addresses: ClusterAddresses) => LocalCluster {
  return (addresses) => ({
    name: paths.name,
    kubeconfig: paths.kubeconfig,
    nodeAddress: addresses.node,
    hostAddress: addresses.host,
    directory: paths.directory,
    kubectl: join(programs, "kubectl"),
    helm: join(programs, "helm"),
  });
}

async function clearUp(paths: ClusterPaths): Promise<void> {
  await killNode(paths);
  await disconnectNode(paths);
  await removeCgroup(paths.cgroup);
  await releaseState(paths);
}
