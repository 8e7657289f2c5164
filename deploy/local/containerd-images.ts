import { existsSync } from "node:fs";
import { InputError } from "../../src/runtime/errors.ts";
import type { ClusterPaths } from "./cluster-paths.ts";
import { runCommand } from "./run-command.ts";
import { waitUntil } from "./wait-until.ts";

/** containerd's CRI plugin labels what it knows; the kubelet sees an image only then. */
const KNOWN = 'labels."io.cri-containerd.image"==managed';

function ctr(paths: ClusterPaths, ...args: string[]): Promise<string> {
  return runCommand("ctr", ["--address", paths.containerdSocket, "--namespace", "k8s.io", ...args]);
}

/** Imports the images of an archive (docker's or OCI's format); resolves with their names when pods can use them. */
export async function importImages(paths: ClusterPaths, archive: string): Promise<string[]> {
  if (!existsSync(archive)) throw new InputError(`there is no image archive ${archive}`);
  const output = await ctr(paths, "images", "import", archive);
  const names = [...output.matchAll(/^unpacking (\S+) \(/gm)].map((match) => match[1] as string);
  if (names.length === 0)
    throw new InputError(`no image in ${archive}; it must be an archive as docker save or buildah push oci-archive: make it`);
  await waitUntil(`containerd to know ${names.join(", ")}`, 20_000, async () => {
    const known = new Set((await ctr(paths, "images", "list", "--quiet", KNOWN)).split("\n"));
    return names.every((name) => known.has(name));
  });
  return names;
}
