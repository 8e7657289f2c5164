import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { clusterPaths } from "../../../deploy/local/cluster-paths.ts";
import { readState } from "../../../deploy/local/cluster-state.ts";
import { findNode } from "../../../deploy/local/node/cluster-node.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { findNodeProgram } from "./node-program.ts";

/** What lives on: as if these ran on another machine than the one that is reset. */
const CONTROL_PLANE = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "coredns"];
const KUBELET_PORT = 10_250;
/** A program that was just started may not be there to be seen yet. */
const RESTART_AFTER_MS = 1000;

/**
 * Takes away what a reset takes away: the mounts below the given directories, and what containerd and runc keep of running containers in
 * memory. $1 is the cluster's directory.
 */
const FORGET = `
set -eu
cut -d " " -f 5 /proc/self/mountinfo | grep -E "^($1|/var/lib[^ ]*$1)/(containerd/state|kubelet/pods)/|^/run/(containerd|netns)" |
  sort -ru | while read -r mount; do umount -l "$mount" 2>/dev/null || true; done
rm -rf "$1/containerd/state" /run/containerd /run/runc /run/netns
mount --bind "$1/node/boot-id" /proc/sys/kernel/random/boot_id
`;

/**
 * Resets a local cluster's node as a power loss does: kubelet, containerd and every process of every pod end at once, unseen by anybody;
 * `down` ends. What is on disk stays, what was in memory is gone, and the kernel has another boot id.
 * https://kubernetes.io/docs/concepts/cluster-administration/node-shutdown/#non-graceful-node-shutdown
 */
export async function killNodePrograms(clusterName: string): Promise<void> {
  const paths = clusterPaths(clusterName);
  // A runtime that lives a moment longer than its containers would write down how they ended.
  for (const name of ["kubelet", "containerd"] as const) await findNodeProgram(clusterName, name).kill();
  await waitUntil("the end of the node's programs and pods", 30_000, () => {
    const left = doomed(clusterName);
    for (const pid of left) kill(pid);
    return left.length === 0;
  });
  mkdirSync(join(paths.directory, "node"), { recursive: true });
  writeFileSync(join(paths.directory, "node", "boot-id"), `${randomUUID()}\n`);
  const { pid } = requireNode(clusterName);
  await runCommand("nsenter", ["--target", `${pid}`, "--mount", "--pid", "--net", "--", "sh", "-c", FORGET, "sh", paths.directory]);
}

/**
 * Boots it again; resolves when its kubelet listens, not when the node is Ready. A kubelet that comes before containerd has found out what is
 * left of its containers ends, and is started again, as systemd does.
 */
export async function startNodePrograms(clusterName: string): Promise<void> {
  const { addresses } = readState(clusterPaths(clusterName)) ?? {};
  if (!addresses) throw new Error(`cluster ${clusterName} is not up`);
  await findNodeProgram(clusterName, "containerd").start();
  await findNodeProgram(clusterName, "kube-proxy").start();
  const kubelet = findNodeProgram(clusterName, "kubelet");
  let startedMs = Number.NEGATIVE_INFINITY;
  await waitUntil("the kubelet to listen", 60_000, async () => {
    if (await isListening(addresses.node, KUBELET_PORT)) return true;
    if (performance.now() - startedMs > RESTART_AFTER_MS) {
      startedMs = performance.now();
      await kubelet.start();
    }
    return false;
  });
}

/**
 * TERM for every process of a pod that is not the node's own doing: what an end of the system sends them when its kubelet has gone before.
 * `uid` is the pod's.
 */
export function terminatePod(uid: string): void {
  for (const pid of processesOf(uid)) kill(Number(pid), "SIGTERM");
}

/** KILL for what containerd runs a pod's containers by, and for nothing else. `uid` is the pod's. */
export function killShim(uid: string): void {
  const parents = new Set(processesOf(uid).map(parentOf));
  const shims = [...parents].filter((pid) => pid !== undefined && programOf(`${pid}`).includes("containerd-shim"));
  if (shims.length === 0) throw new Error(`pod ${uid} has no shim`);
  for (const pid of shims) kill(Number(pid));
}

function processesOf(uid: string): string[] {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry) && isOfPod(entry, uid));
  if (pids.length === 0) throw new Error(`pod ${uid} has no process`);
  return pids;
}

function isOfPod(pid: string, uid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(`/pod${uid}/`);
  } catch {
    return false;
  }
}

function isListening(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function requireNode(clusterName: string): { pid: number } {
  const node = findNode(clusterPaths(clusterName));
  if (node === null) throw new Error(`cluster ${clusterName} is not up`);
  return node;
}

/** Everything below the node's process 1 but the control plane; containers have process namespaces of their own in there. */
function doomed(clusterName: string): number[] {
  const { pid: root } = requireNode(clusterName);
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const parent = /^\d+$/.test(entry) ? parentOf(entry) : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const below = (pid: number): number[] => (children.get(pid) ?? []).flatMap((child) => [child, ...below(child)]);
  return (children.get(root) ?? []).filter((pid) => !isControlPlane(pid)).flatMap((pid) => [pid, ...below(pid)]);
}

/** The parent of a process that runs; a zombie is its parent's to collect. */
function parentOf(pid: string): number | undefined {
  try {
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return state === "Z" ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

function isControlPlane(pid: number): boolean {
  return CONTROL_PLANE.some((name) => programOf(`${pid}`).endsWith(`/${name}`));
}

/** What it was started as; "" for one that is gone. */
function programOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0] ?? "";
  } catch {
    return "";
  }
}

function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
