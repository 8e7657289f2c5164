import { clusterPaths } from "../../../deploy/local/cluster-paths.ts";
import { readState } from "../../../deploy/local/cluster-state.ts";
import { findNode } from "../../../deploy/local/node/cluster-node.ts";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { type Child, startChild } from "../child-process.ts";
import { tellProgress } from "../progress.ts";
import { kubeRouterProgram } from "./kube-router-program.ts";

/** Kube-router's way into the filter table, and its sets of addresses. */
const CHAINS = /KUBE-(ROUTER|POD-FW|NWPLCY)-/;
const SETS = /^KUBE-(SRC|DST)-/;
const READY_TIMEOUT_MS = 60_000;

/** The arguments of `nsenter` for the network of a cluster's node, and the ranges of its pods and Services. */
export function enterNode(clusterName: string): { inNode: string[]; pods: string; services: string } {
  const paths = clusterPaths(clusterName);
  const node = findNode(paths);
  const state = readState(paths);
  if (node === null || state === null) throw new Error(`cluster ${clusterName} is not up`);
  return { inNode: ["--target", `${node.pid}`, "--net", "--"], pods: state.addresses.pods, services: state.addresses.services };
}

/**
 * From now on the local cluster's network enforces NetworkPolicies, which its CNI plugin does not: resolves when those that are there hold.
 * Disposing of it takes every rule and set away again, and throws where some are left. A pod that starts meanwhile is open, in both directions,
 * until kube-router has seen it.
 */
export async function startKubeRouter({ name, kubeconfig }: { name: string; kubeconfig: string }): Promise<Child & AsyncDisposable> {
  await ensureDebianPackages(["ipset", "iptables", "nftables"], tellProgress);
  const program = await kubeRouterProgram();
  const { inNode, services } = enterNode(name);
  // Those of a run that was killed.
  await removeRules(inNode);
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    await removeRules(inNode);
    const left = await findRules(inNode);
    if (left.length > 0) throw new Error(`kube-router's rules are left in cluster ${name}:\n${left.join("\n")}`);
  });
  const router = await startChild({
    command: "nsenter",
    args: [
      ...[...inNode, program, "--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--health-port=0", "--v=1"],
      ...[`--kubeconfig=${kubeconfig}`, `--hostname-override=${name}`, `--service-cluster-ip-range=${services}`],
    ],
    // What goes to the cluster must not be sent to a proxy that this machine may be told to use.
    env: { NO_PROXY: "*", no_proxy: "*" },
  });
  stack.defer(async () => void (await router.stop()));
  await router.logged("sync iptables took", READY_TIMEOUT_MS);
  const owned = stack.move();
  return Object.assign(router, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

/** Its `--cleanup-config` leaves them. Nobody else has a table `filter` there: kube-proxy and CNI plugins have theirs. */
async function removeRules(inNode: readonly string[]): Promise<void> {
  const rules = await findRules(inNode);
  if (rules.some((rule) => CHAINS.test(rule))) await runCommand("nsenter", [...inNode, "nft", "delete", "table", "ip", "filter"]);
  for (const set of rules.filter((rule) => SETS.test(rule))) await runCommand("nsenter", [...inNode, "ipset", "destroy", set]);
}

async function findRules(inNode: readonly string[]): Promise<string[]> {
  const tables = (await runCommand("nsenter", [...inNode, "nft", "list", "tables"])).split("\n");
  const chains = tables.includes("table ip filter") ? await runCommand("nsenter", [...inNode, "iptables", "--list-rules"]) : "";
  const sets = await runCommand("nsenter", [...inNode, "ipset", "list", "-name"]);
  return [...chains.split("\n").filter((rule) => CHAINS.test(rule)), ...sets.split("\n").filter((set) => SETS.test(set))];
}
