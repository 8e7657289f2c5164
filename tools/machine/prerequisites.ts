import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { InputError } from "../../src/runtime/errors.ts";
import { ensureDebianPackages } from "./debian-packages.ts";

/** What to do where a local cluster can't be. */
export const INSTEAD =
  "Demo and tests run as well on any other cluster of your kubeconfig (kind, minikube, a real one): give them --context NAME.";

/** Programs the cluster needs of this machine, with Debian's package for each. */
const PROGRAMS = {
  containerd: "containerd",
  ctr: "containerd",
  runc: "runc",
  nft: "nftables",
  iptables: "iptables",
  ip: "iproute2",
  unshare: "util-linux",
  nsenter: "util-linux",
  flock: "util-linux",
  openssl: "openssl",
} as const;

const CNI_DIRECTORIES = ["/usr/lib/cni", "/opt/cni/bin"];
const CNI_PLUGINS = ["ptp", "portmap", "host-local"];

/** Throws InputError where a local cluster can't be. */
export function requireClusterHost(): void {
  if (process.platform !== "linux") throw new InputError(`the local cluster needs Linux, this is ${process.platform}.`);
  if (process.getuid?.() !== 0) throw new InputError(`the local cluster needs root (namespaces, mounts, network); try sudo.`);
}

/** Installs what is missing and gives the paths of runc and the CNI plugins. Throws InputError. */
export async function findPrerequisites(log: (line: string) => void): Promise<{ runc: string; cniPlugins: string }> {
  requireClusterHost();
  const missing = Object.entries(PROGRAMS)
    .filter(([program]) => findOnPath(program) === null)
    .map(([, debianPackage]) => debianPackage as string);
  if (findCniPlugins() === null) missing.push("containernetworking-plugins");
  if (missing.length > 0) {
    await ensureDebianPackages([...new Set(missing)], log);
  }
  const runc = findOnPath("runc");
  const cniPlugins = findCniPlugins();
  if (runc === null || cniPlugins === null) throw new InputError(`no runc or no CNI plugins (${CNI_PLUGINS.join(", ")}) on this machine.`);
  return { runc, cniPlugins };
}

function findOnPath(program: string): string | null {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return directories.map((directory) => join(directory, program)).find((file) => existsSync(file)) ?? null;
}

function findCniPlugins(): string | null {
  return CNI_DIRECTORIES.find((directory) => CNI_PLUGINS.every((plugin) => existsSync(join(directory, plugin)))) ?? null;
}
