import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { clusterPaths } from "../../../deploy/local/cluster-paths.ts";
import { findNode } from "../../../deploy/local/node/cluster-node.ts";
import { type Child, startChild } from "../child-process.ts";
import { findNodeProgram } from "./node-program.ts";

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
  const kubelet = findNodeProgram(clusterName, "kubelet");
  const node = () => {
    const found = findNode(paths);
    if (!found) throw new Error(`cluster ${clusterName} is not up`);
    return found;
  };

  const restart = async () => {
    await kubelet.kill();
    await kubelet.start();
  };

  return {
    suspend: kubelet.suspend,
    resume: kubelet.resume,
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
