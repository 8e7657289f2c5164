import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import { isAlreadyExists } from "../../../src/kube/client/kube-error.ts";
import type { Resource } from "../../../src/kube/client/resource.ts";
import { InputError } from "../../../src/runtime/errors.ts";
import { CommandError, lastLines, runCommand } from "../../../tools/machine/run-command.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";

const SOURCES = join(import.meta.dirname, "snapshot-definitions");
const MODULE = "github.com/kubernetes-csi/external-snapshotter/client/v8";
const DEFINITIONS: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };

export const SNAPSHOTS: Resource = { group: "snapshot.storage.k8s.io", version: "v1", plural: "volumesnapshots" };

/**
 * Sees to it that the API server serves VolumeSnapshots, by the definitions of the Go module that snapshot-definitions/go.mod pins, as clusters
 * with a storage driver for snapshots have them. A cluster that has some keeps them. Throws InputError with the remedy where there is no usable Go.
 */
export async function defineSnapshots(client: KubeClient): Promise<void> {
  const directory = join(await moduleDirectory(), "config/crd");
  const files = (await readdir(directory)).filter((name) => name.startsWith(`${SNAPSHOTS.group}_`));
  for (const file of files) {
    const definition = parse(await readFile(join(directory, file), "utf8"));
    await client.create(DEFINITIONS, undefined, definition).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }
  await waitUntil("the API server to serve VolumeSnapshots", 60_000, () =>
    client.list(SNAPSHOTS, "default").then(
      () => true,
      () => false,
    ),
  );
}

/** Where Go keeps the module, which it fetches if it must. */
async function moduleDirectory(): Promise<string> {
  try {
    const module = await runCommand("go", ["mod", "download", "-json", MODULE], { cwd: SOURCES, env: { GOWORK: "off" } });
    return JSON.parse(module).Dir;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new InputError(
      "VolumeSnapshots are defined by a Go module: needed are Go (https://go.dev/dl), and its module proxy or a filled module cache:\n" +
        lastLines(error.stderr, 10),
      { cause: error },
    );
  }
}
