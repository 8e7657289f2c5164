import { existsSync } from "node:fs";
import { clusterPaths } from "./cluster-paths.ts";
import { listClusters, readState } from "./cluster-state.ts";
import { nameFlag } from "./local-cluster.ts";
import { findNode, findRunningPrograms } from "./node/cluster-node.ts";
import { apiServerUrl, renderPrograms } from "./node/cluster-programs.ts";
import { isClusterUp } from "./start-cluster.ts";

/** Prints what of the cluster runs; true when all of it does and answers. */
export async function printStatus(name: string): Promise<boolean> {
  const paths = clusterPaths(name);
  const others = listClusters().filter((other) => other !== name);
  if (others.length > 0) console.log(`other clusters here: ${others.join(", ")}`);
  const state = readState(paths);
  const node = findNode(paths);
  if (state === null || node === null) {
    console.log(
      existsSync(paths.directory)
        ? `cluster ${name} is not running, but files of it are left; up or down clears up`
        : `cluster ${name} is not there`,
    );
    return false;
  }
  // How the programs are called is all that is needed of the plan here.
  const plan = { paths, addresses: state.addresses, cniPlugins: "", runc: "" };
  const { first, withApi } = renderPrograms(plan);
  const programs = [...first, ...withApi];
  const running = findRunningPrograms(node, programs);
  for (const program of programs) console.log(`${program.name.padEnd(24)} ${running.has(program.name) ? "runs" : "does not run"}`);
  const up = await isClusterUp(plan, node);
  console.log(`API server ${apiServerUrl(state.addresses)}`);
  console.log(`kubeconfig ${paths.kubeconfig}`);
  console.log(`logs       ${paths.logs}`);
  console.log(up ? `cluster ${name} is up` : `cluster ${name} is not well; npm run cluster -- up${nameFlag(name)} makes it anew`);
  return up;
}
