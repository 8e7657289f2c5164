import { join } from "node:path";
import { getFromApiServer } from "../../../deploy/local/api-server.ts";
import { clusterPaths } from "../../../deploy/local/cluster-paths.ts";
import { readState } from "../../../deploy/local/cluster-state.ts";
import { findNode, listClusterProcesses, startProgram } from "../../../deploy/local/node/cluster-node.ts";
import { renderPrograms } from "../../../deploy/local/node/cluster-programs.ts";
import { findPrerequisites } from "../../../tools/machine/prerequisites.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";

/** A program of a local cluster's node. */
export interface NodeProgram {
  /** SIGSTOP and SIGCONT. */
  suspend(): void;
  resume(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it unless it runs. */
  start(): Promise<void>;
}

export function findNodeProgram(clusterName: string, name: "kube-apiserver" | "kubelet" | "containerd" | "kube-proxy"): NodeProgram {
  const paths = clusterPaths(clusterName);
  const pids = () =>
    listClusterProcesses(paths)
      // containerd is the machine's own.
      .filter(({ args: [command] }) => command === join(paths.bin, name) || command === name)
      .map(({ pid }) => pid);
  const signal = (signalName: NodeJS.Signals) => {
    for (const pid of pids()) process.kill(pid, signalName);
  };
  return {
    suspend: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    async kill() {
      signal("SIGKILL");
      await waitUntil(`the end of ${name}`, 10_000, () => pids().length === 0);
    },
    async start() {
      if (pids().length > 0) return;
      const node = findNode(paths);
      const state = readState(paths);
      if (node === null || state === null) throw new Error(`cluster ${clusterName} is not up`);
      const plan = { ...(await findPrerequisites(() => {})), paths, addresses: state.addresses };
      const { first, withApi } = renderPrograms(plan);
      const program = [...first, ...withApi].find((candidate) => candidate.name === name);
      if (!program) throw new Error(`the cluster has no ${name}`);
      await startProgram(plan, node, program);
    },
  };
}

/** Resolves when the API server answers and the cluster's node is Ready; rejects after two minutes. */
export async function waitForCluster(clusterName: string): Promise<void> {
  const paths = clusterPaths(clusterName);
  const state = readState(paths);
  if (state === null) throw new Error(`cluster ${clusterName} is not up`);
  await waitUntil(`cluster ${clusterName} to be well again`, 120_000, async () => {
    const answer = await getFromApiServer(paths, state.addresses, `/api/v1/nodes/${paths.name}`);
    if (answer?.status !== 200) return false;
    const node: { status?: { conditions?: { type: string; status: string }[] } } = JSON.parse(answer.body);
    return node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  });
}
