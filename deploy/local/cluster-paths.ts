import { createHash } from "node:crypto";
import { join } from "node:path";
import { InputError } from "../../src/runtime/errors.ts";

/** Everything of a cluster that follows from its name alone, so that it can be cleared up when nothing else is known of it. */
export interface ClusterPaths {
  name: string;
  /** All files of the cluster. Short: unix sockets below it may have 107 bytes. */
  directory: string;
  /** Files below `directory`. */
  state: string;
  kubeconfig: string;
  containerdSocket: string;
  logs: string;
  /** What service accounts asked of the API server, a line of JSON each; those of Kubernetes' own parts left out. */
  auditLog: string;
  pki: string;
  /** What containerd is told of a registry, such as its authority: `hosts.toml` in a folder with the registry's name, read at each pull. */
  registries: string;
  /** The programs, as the node sees them. */
  bin: string;
  /** The node's end of the cable is called eth0. */
  hostInterface: string;
  nftTable: string;
  /** Name of the cluster's directory in every cgroup hierarchy. */
  cgroup: string;
  lock: string;
}

export const CLUSTERS_DIRECTORY = "/var/lib/turbo-hipster/clusters";
export const CLUSTERS_LOCK = "/run/lock/turbo-hipster-clusters.lock";

/** Throws InputError for a name that can't be a node's name and a directory. */
export function clusterPaths(name: string): ClusterPaths {
  if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new InputError(
      `"${name}" is no name for a cluster: at most 32 lower-case letters, digits and dashes, beginning and ending with no dash`,
    );
  }
  const directory = join(CLUSTERS_DIRECTORY, name);
  // Interface names have at most 15 bytes.
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 10);
  return {
    name,
    directory,
    state: join(directory, "cluster.json"),
    kubeconfig: join(directory, "kubeconfig"),
    containerdSocket: join(directory, "run", "containerd.sock"),
    logs: join(directory, "logs"),
    auditLog: join(directory, "logs", "audit.log"),
    pki: join(directory, "pki"),
    registries: join(directory, "config", "registries"),
    bin: join(directory, "bin"),
    hostInterface: `thc-${digest}`,
    nftTable: `turbo-hipster-${name}`,
    cgroup: `turbo-hipster-${name}`,
    lock: `/run/lock/turbo-hipster-cluster-${name}.lock`,
  };
}
