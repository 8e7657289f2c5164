import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { clusterPaths } from "../../../deploy/local/cluster-paths.ts";
import { readState } from "../../../deploy/local/cluster-state.ts";
import { findNode, listClusterProcesses, startProgram } from "../../../deploy/local/node/cluster-node.ts";
import { renderPrograms } from "../../../deploy/local/node/cluster-programs.ts";
import { findPrerequisites } from "../../../tools/machine/prerequisites.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { type Child, startChild } from "../child-process.ts";

/** The kubelet of a local cluster, as a test may treat it; pods go on running meanwhile. */
export interface TestKubelet {
  /** It does nothing any more, as if its node were unplugged, until `resume`. */
  suspend(): void;
  resume(): void;
  /** Starts it anew with these fields of its configuration changed; returns what restores it. */
  reconfigure(changes: object): Promise<() => Promise<void>>;
  /** Runs a program of this machine in the node's network, where its `localhost` is the kubelet's. */
  startBeside(command: string, args: readonly string[], onLine: (line: string) => void): Promise<Child>;
}

export function findTestKubelet(clusterName: string): TestKubelet {
  const paths = clusterPaths(clusterName);
  const config = join(paths.directory, "config", "kubelet.yaml");
  const isKubelet = ({ args }: { args: string[] }) => args[0] === join(paths.bin, "kubelet");
  const pids = () =>
    listClusterProcesses(paths)
      .filter(isKubelet)
      .map(({ pid }) => pid);
  const signal = (name: NodeJS.Signals) => {
    for (const pid of pids()) process.kill(pid, name);
  };
  const node = () => {
    const found = findNode(paths);
    if (!found) throw new Error(`cluster ${clusterName} is not up`);
    return found;
  };

  async function restart(): Promise<void> {
    signal("SIGKILL");
    await waitUntil("the kubelet's end", 10_000, () => pids().length === 0);
    const { addresses } = readState(paths) ?? {};
    if (!addresses) throw new Error(`cluster ${clusterName} has no state`);
    const plan = { ...(await findPrerequisites(() => {})), paths, addresses };
    const kubelet = renderPrograms(plan).withApi.find(({ name }) => name === "kubelet");
    if (!kubelet) throw new Error("the cluster has no kubelet");
    await startProgram(plan, node(), kubelet);
  }

  return {
    suspend: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    async reconfigure(changes) {
      const before = readFileSync(config, "utf8");
      writeFileSync(config, stringify({ ...parse(before), ...changes }));
      await restart();
      return async () => {
        writeFileSync(config, before);
        await restart();
      };
    },
    startBeside: (command, args, onLine) =>
      startChild({ command: "nsenter", args: ["--target", `${node().pid}`, "--net", "--", command, ...args], onLine }),
  };
}
