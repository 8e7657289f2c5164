import { readFileSync, writeFileSync } from "node:fs";
import { InputError } from "../../../src/runtime/errors.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import type { ClusterPaths } from "../cluster-paths.ts";

/** The addresses of one cluster: a block of 4096, of which the host has a route to the node. */
export interface ClusterAddresses {
  block: string;
  /** The host's end of the cable to the node; pods reach what listens there (or on all addresses) of the host. */
  host: string;
  node: string;
  pods: string;
  services: string;
  /** `kubernetes.default`. */
  apiService: string;
}

const BLOCK_SIZE = 4096;
/** 10.213.0.0 to 10.216.255.255: 64 blocks, in a range that few networks use. */
const FIRST_BLOCK = 0x0ad50000;
const BLOCKS = 64;
const FORWARDING = "/proc/sys/net/ipv4/ip_forward";

function renderAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** First and last address of `10.0.0.0/8` or `10.0.0.1`; null for what is no IPv4 range. */
function parseRange(text: string): [number, number] | null {
  const match = text.match(/^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/);
  if (match === null) return null;
  const address = match.slice(1, 5).reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const first = Math.floor(address / size) * size;
  return [first, first + size - 1];
}

/** The addresses of the first block that overlaps none of the ranges in use. Throws InputError when there is none. */
export function pickAddresses(used: readonly string[]): ClusterAddresses {
  const ranges = used.map(parseRange).filter((range) => range !== null);
  for (let index = 0; index < BLOCKS; index++) {
    const first = FIRST_BLOCK + index * BLOCK_SIZE;
    const last = first + BLOCK_SIZE - 1;
    if (ranges.some(([from, to]) => from <= last && to >= first)) continue;
    return {
      block: `${renderAddress(first)}/20`,
      host: renderAddress(first + 1),
      node: renderAddress(first + 2),
      pods: `${renderAddress(first + 1024)}/22`,
      services: `${renderAddress(first + 2048)}/21`,
      apiService: renderAddress(first + 2049),
    };
  }
  throw new InputError(`no free addresses for a cluster in ${renderAddress(FIRST_BLOCK)}/14; take others down, see: ip route`);
}

/** What this machine's routes lead to, other than the default route. */
export async function listRoutes(): Promise<string[]> {
  const routes: { dst: string }[] = JSON.parse((await runCommand("ip", ["-4", "-json", "route", "show", "table", "all"])) || "[]");
  return routes.map((route) => route.dst).filter((destination) => destination !== "default" && destination !== "0.0.0.0/0");
}

/**
 * Lays a cable between the host and the network namespace of process `nodePid` and gives both ends their addresses; what the cluster sends
 * elsewhere goes out under the host's address.
 */
export async function connectNode(paths: ClusterPaths, addresses: ClusterAddresses, nodePid: number): Promise<void> {
  const { hostInterface } = paths;
  await runCommand("ip", ["-batch", "-"], {
    input: [
      `link add ${hostInterface} type veth peer name eth0 netns ${nodePid}`,
      `address add ${addresses.host}/24 dev ${hostInterface}`,
      `link set ${hostInterface} up`,
      "",
    ].join("\n"),
  });
  await runCommand("nsenter", ["--target", `${nodePid}`, "--net", "ip", "-batch", "-"], {
    input: [
      `address add ${addresses.node}/24 dev eth0`,
      "link set lo up",
      "link set eth0 up",
      `route add default via ${addresses.host} dev eth0`,
      // What is sent to a pod that is gone must not go round in circles between the host and the node.
      `route add unreachable ${addresses.pods}`,
      "",
    ].join("\n"),
  });
  await runCommand("ip", ["route", "add", addresses.block, "via", addresses.node, "dev", hostInterface]);
  await runCommand("nft", ["-f", "-"], {
    input: `table ip ${paths.nftTable} {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr ${addresses.block} ip daddr != ${addresses.block} oifname != "${hostInterface}" masquerade
  }
}
`,
  });
}

/** Undoes connectNode; fine with what is already gone. */
export async function disconnectNode(paths: ClusterPaths): Promise<void> {
  const links: { ifname?: string }[] = JSON.parse((await runCommand("ip", ["-json", "link", "show"])) || "[]");
  if (links.some((link) => link.ifname === paths.hostInterface)) {
    // The kernel may be about to remove it by itself, with the node's namespace.
    await runCommand("ip", ["link", "delete", paths.hostInterface]).catch(async (error) => {
      const left: { ifname?: string }[] = JSON.parse((await runCommand("ip", ["-json", "link", "show"])) || "[]");
      if (left.some((link) => link.ifname === paths.hostInterface)) throw error;
    });
  }
  const tables = await runCommand("nft", ["list", "tables", "ip"]);
  if (tables.split("\n").includes(`table ip ${paths.nftTable}`)) await runCommand("nft", ["delete", "table", "ip", paths.nftTable]);
}

/** Whether the host passes packets on between its networks. */
export function isForwarding(): boolean {
  return readFileSync(FORWARDING, "utf8").trim() !== "0";
}

export function setForwarding(on: boolean): void {
  if (isForwarding() !== on) writeFileSync(FORWARDING, on ? "1\n" : "0\n");
}
