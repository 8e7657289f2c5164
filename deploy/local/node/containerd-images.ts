import { existsSync } from "node:fs";
import { connect } from "node:net";
import { InputError } from "../../../src/runtime/errors.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import type { ClusterPaths } from "../cluster-paths.ts";

/** containerd's CRI plugin labels what it knows; the kubelet sees an image only then. */
const KNOWN = 'labels."io.cri-containerd.image"==managed';

function ctr(paths: ClusterPaths, ...args: string[]): Promise<string> {
  return runCommand("ctr", ["--address", paths.containerdSocket, "--namespace", "k8s.io", ...args]);
}

/** Whether containerd takes connections; its socket's file is there a moment earlier. */
export function isContainerdListening(paths: ClusterPaths): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(paths.containerdSocket);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/**
 * Imports the images of an archive (docker's or OCI's format), unless they are there as they are in it; resolves with their names when pods
 * can use them. Throws InputError for a file that is no such archive.
 */
export async function importImages(paths: ClusterPaths, archive: string): Promise<string[]> {
  if (!existsSync(archive)) throw new InputError(`there is no image archive ${archive}`);
  const present = await findPresent(paths, archive);
  if (present !== null) return present;
  const output = await ctr(paths, "images", "import", archive).catch((error) => {
    throw new InputError(`could not load ${archive}; it must be an archive as docker save or npm run image make it\n${error.message}`, {
      cause: error,
    });
  });
  const names = [...output.matchAll(/^unpacking (\S+) \(/gm)].map((match) => match[1] as string);
  if (names.length === 0) throw new InputError(`there is no image with a name in ${archive}`);
  await waitUntil(`containerd to know ${names.join(", ")}`, 60_000, async () => {
    const known = await listKnown(paths);
    return names.every((name) => known.has(name));
  });
  return names;
}

/** The names of the archive's images if containerd has exactly these; null when not, or when an archive does not say it this way. */
async function findPresent(paths: ClusterPaths, archive: string): Promise<string[] | null> {
  const text = await runCommand("tar", ["--extract", "--to-stdout", "--file", archive, "index.json"]).catch(() => null);
  if (text === null) return null;
  const index: { manifests?: { digest: string; annotations?: Record<string, string> }[] } = JSON.parse(text);
  const known = await listKnown(paths);
  const names: string[] = [];
  for (const { digest, annotations } of index.manifests ?? []) {
    const name = annotations?.["org.opencontainers.image.ref.name"] ?? "";
    if (known.get(name) !== digest) return null;
    names.push(name);
  }
  return names.length > 0 ? names : null;
}

/** The images that pods can use, with the digest of each. */
async function listKnown(paths: ClusterPaths): Promise<Map<string, string>> {
  const lines = (await ctr(paths, "images", "list", KNOWN)).trim().split("\n").slice(1);
  return new Map(lines.map((line) => line.split(/\s+/)).map(([name, , digest]) => [name as string, digest as string]));
}
