import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { TurboHipsterError } from "../../../src/runtime/errors.ts";
import { lastLines, runCommand } from "../../../tools/machine/run-command.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import type { ClusterPaths } from "../cluster-paths.ts";
import type { ClusterAddresses } from "./cluster-network.ts";
import type { ClusterPlan, ClusterProgram } from "./cluster-programs.ts";

/**
 * The node is a set of namespaces (process ids, mounts, network, host name) whose process 1 is our `pause`. All the cluster's programs and
 * pods run in it, so the kernel ends every one of them, and takes away every mount, interface and rule they made, when process 1 ends.
 */
export interface ClusterNode {
  /** Process 1 of the node, as the host numbers it. */
  pid: number;
}

/**
 * Kernel settings that a kubelet makes (setupKernelTunables in its container manager). They are the whole machine's, so the node sees files
 * of its own in their place, which say what the kubelet wants.
 */
const KERNEL_SETTINGS = [
  ...["vm/overcommit_memory=1", "vm/panic_on_oom=0", "kernel/panic=10", "kernel/panic_on_oops=1"],
  ...["kernel/keys/root_maxkeys=1000000", "kernel/keys/root_maxbytes=25000000"],
];

/**
 * Runs as process 1. What the programs of a node write at places that can't be configured (/run, /var/lib, /var/log) is the cluster's own;
 * mounts the host makes later still arrive. $1 is the cluster's directory, $2 the directory of the programs, $3 the node's name.
 */
const INIT = `
set -eu
mount --make-rshared /
mkdir -p "$1/bin" "$1/node/log" "$1/node/lib/\${1#/var/lib/}"
mount --bind "$2" "$1/bin"
resolv=$(readlink -m /etc/resolv.conf)
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
case $resolv in
/run/*) mkdir -p "\${resolv%/*}"; cp "$1/config/resolv.conf" "$resolv" ;;
*) if [ -e "$resolv" ]; then mount --bind "$1/config/resolv.conf" "$resolv"; fi ;;
esac
mount --bind "$1/node/log" /var/log
mount --rbind "$1" "$1/node/lib/\${1#/var/lib/}"
mount --rbind "$1/node/lib" /var/lib
echo "$3" > /proc/sys/kernel/hostname
mkdir "$1/node/settings"
for setting in ${KERNEL_SETTINGS.join(" ")}; do
  name=\${setting%=*}
  echo "\${setting#*=}" > "$1/node/settings/\${name##*/}"
  mount --bind "$1/node/settings/\${name##*/}" "/proc/sys/$name"
done
echo 1 > /proc/sys/net/ipv4/ip_forward
exec "$1/bin/pause"
`;

/** Starts an empty node. Its process is found again by `findNode`, from the moment it exists. */
export async function startNode(paths: ClusterPaths, programs: string): Promise<ClusterNode> {
  const log = openSync(join(paths.logs, "node.log"), "a");
  const flags = ["--mount", "--propagation", "slave", "--net", "--pid", "--uts", "--mount-proc", "--fork", "--kill-child"];
  const child = spawn("unshare", [...flags, "--", "sh", "-c", INIT, "sh", paths.directory, programs, paths.name], {
    cwd: "/",
    detached: true,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.on("error", () => {});
  child.unref();
  await waitUntil("the node's namespaces", 60_000, () => {
    if (findNode(paths) !== null) return true;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new TurboHipsterError("TH_CLUSTER", `could not make the node's namespaces:\n${readLog(paths, "node")}`);
    }
    return false;
  });
  return findNode(paths) as ClusterNode;
}

interface ProcessInfo {
  pid: number;
  args: string[];
}

/** All processes of this machine that can be looked at. */
function listProcesses(): ProcessInfo[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      const commandLine = readOptional(`/proc/${entry}/cmdline`);
      return commandLine === "" ? [] : [{ pid: Number(entry), args: commandLine.split("\0") }];
    });
}

/** What a file of /proc holds; empty when its process is gone meanwhile. */
function readOptional(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return "";
  }
}

/** The cluster's node, found by the command line that its process 1 has once all is prepared; null when it does not run. */
export function findNode(paths: ClusterPaths): ClusterNode | null {
  const found = listProcesses().find(({ args }) => args[0] === join(paths.bin, "pause"));
  return found === undefined ? null : { pid: found.pid };
}

/** Every process that belongs to the cluster, also those of a node that is just beginning or ending. */
export function listClusterProcesses(paths: ClusterPaths): ProcessInfo[] {
  const processes = listProcesses();
  const node = findNode(paths);
  const namespace = node === null ? null : namespaceOf(node.pid);
  return processes.filter(
    ({ pid, args }) =>
      pid !== process.pid &&
      ((namespace !== null && namespaceOf(pid) === namespace) ||
        args[0]?.startsWith(`${paths.bin}/`) ||
        // The starter of the node, and its process 1 before it has become `pause`.
        ((args[0] === "unshare" || args[0] === "sh") && args.includes(INIT) && args.includes(paths.directory))),
  );
}

/** What goes to the cluster's own addresses must not be sent to a proxy that this machine may be told to use. */
function environment(addresses: ClusterAddresses): Record<string, string> {
  const direct = [process.env.NO_PROXY ?? process.env.no_proxy ?? "", "127.0.0.1", "localhost", addresses.block]
    .filter((entry) => entry !== "")
    .join(",");
  return { NO_PROXY: direct, no_proxy: direct };
}

/** Starts a program in the node, its output appended to `logs/<name>.log`; does not wait for it to be of use. */
export async function startProgram({ paths, addresses }: ClusterPlan, node: ClusterNode, program: ClusterProgram): Promise<void> {
  // The shell leaves it to process 1 of the node at once.
  const script = 'log=$1; shift; cd /; setsid "$@" </dev/null >>"$log" 2>&1 &';
  const enter = ["--target", `${node.pid}`, "--mount", "--net", "--pid", "--uts"];
  const log = join(paths.logs, `${program.name}.log`);
  const args = [...enter, "--", "sh", "-c", script, "sh", log, program.command, ...program.args];
  await runCommand("nsenter", args, { env: environment(addresses) });
}

/** Which of the programs run now. */
export function findRunningPrograms(node: ClusterNode, programs: readonly ClusterProgram[]): Set<string> {
  const namespace = namespaceOf(node.pid);
  const inside = listProcesses().filter(({ pid }) => namespaceOf(pid) === namespace);
  return new Set(programs.filter((program) => inside.some(({ args }) => args[0] === program.command)).map((program) => program.name));
}

/** Ends the node and everything in it, and waits until the last process is gone. */
export async function killNode(paths: ClusterPaths): Promise<void> {
  await waitUntil(`the end of the processes of cluster ${paths.name}`, 60_000, () => {
    const left = listClusterProcesses(paths);
    for (const { pid } of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
    return left.length === 0;
  });
}

/** The end of what a program of the cluster has logged. */
export function readLog(paths: ClusterPaths, name: string): string {
  return lastLines(readOptional(join(paths.logs, `${name}.log`)), 15);
}
