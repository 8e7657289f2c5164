import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { InputError } from "../../../src/runtime/errors.ts";
import { cacheDirectory, markUsed, removeUnused } from "../../../tools/machine/cache-directory.ts";
import { withFileLock } from "../../../tools/machine/file-lock.ts";
import { CommandError, lastLines, runCommand } from "../../../tools/machine/run-command.ts";
import { tellProgress } from "../progress.ts";
import { type CustomResourceDefinition, renderCustomSchemas, renderKubernetesSchemas, SCHEMA_FILE } from "./json-schemas.ts";

interface PinnedModule {
  path: string;
  version: string;
  /** As in a go.sum. */
  sum: string;
}

/** The Kubernetes that the chart says it needs, and the one that the local cluster is made of; the checksum of each. */
const KUBERNETES = {
  "1.29.15": "h1:hLcyf3XmxtfkubCEmmPX5QVD7lDclXjvEUrJeP283LM=",
  "1.36.3": "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o=",
} as const;

export type KubernetesVersion = keyof typeof KUBERNETES;
export const KUBERNETES_VERSIONS = Object.keys(KUBERNETES) as KubernetesVersion[];

/** Of others' kinds that the chart makes: modules that hold their definitions, and where. */
const DEFINITIONS: readonly (PinnedModule & { files: string })[] = [
  {
    path: "github.com/prometheus-operator/prometheus-operator",
    version: "v0.92.1",
    sum: "h1:rHWuFo6SVya4FBSCNg2DCzyc4xAv54zk3eDTzp5mQZc=",
    files: "example/prometheus-operator-crd/*_{servicemonitors,prometheusrules}.yaml",
  },
  {
    path: "sigs.k8s.io/gateway-api",
    version: "v1.6.3",
    sum: "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
    files: "config/crd/standard/*_httproutes.yaml",
  },
];

const RECIPE = ["json-schemas.ts", "kubernetes-schemas.ts"];
const TEST_TASK = join(import.meta.dirname, "../../../crds/testtasks.turbo-hipster.io.yaml");

/**
 * Schemas of all kinds that the chart can make, written once into the cache: what `kubeconform -schema-location` takes, which puts the version in.
 * They come out of pinned Go modules, without building anything. Throws InputError with the remedy where there is no usable Go.
 */
export async function kubernetesSchemas(): Promise<string> {
  const hash = createHash("sha256").update(readFileSync(TEST_TASK));
  for (const file of RECIPE) hash.update(readFileSync(join(import.meta.dirname, file))).update("\0");
  const directory = cacheDirectory("kubernetes-schemas", hash.digest("hex").slice(0, 16));
  if (!existsSync(directory)) {
    mkdirSync(cacheDirectory("kubernetes-schemas"), { recursive: true });
    const waiting = () => tellProgress("waiting for another process that writes Kubernetes' schemas");
    await withFileLock(cacheDirectory("kubernetes-schemas", "lock"), waiting, async () => {
      if (!existsSync(directory)) await writeSchemas(directory);
    });
  }
  markUsed(directory);
  return join(directory, "{{ .NormalizedKubernetesVersion }}", SCHEMA_FILE);
}

async function writeSchemas(directory: string): Promise<void> {
  tellProgress(`writing Kubernetes' schemas from pinned Go modules, once for ${directory}`);
  const custom = new Map(renderCustomSchemas(readDefinition(TEST_TASK)));
  for (const module of DEFINITIONS) {
    const files = globSync(join(await downloadModule(module), module.files));
    for (const file of files) for (const [name, schema] of renderCustomSchemas(readDefinition(file))) custom.set(name, schema);
  }
  const unfinished = `${directory}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  for (const [version, sum] of Object.entries(KUBERNETES)) {
    const module = await downloadModule({ path: "k8s.io/kubernetes", version: `v${version}`, sum });
    const own = renderKubernetesSchemas(JSON.parse(readFileSync(join(module, "api/openapi-spec/swagger.json"), "utf8")));
    mkdirSync(join(unfinished, `v${version}`), { recursive: true });
    for (const [name, schema] of [...own, ...custom]) writeFileSync(join(unfinished, `v${version}`, name), JSON.stringify(schema));
  }
  renameSync(unfinished, directory);
  removeUnused(cacheDirectory("kubernetes-schemas"));
}

function readDefinition(file: string): CustomResourceDefinition {
  return parse(readFileSync(file, "utf8"));
}

/** The directory of a module, whose content is the pinned one. */
async function downloadModule({ path, version, sum }: PinnedModule): Promise<string> {
  const wanted = `${path}@${version}`;
  try {
    // Outside of any module, whose requirements would have a say.
    const options = { cwd: cacheDirectory("kubernetes-schemas"), env: { GOWORK: "off" } };
    const { Dir, Sum } = JSON.parse(await runCommand("go", ["mod", "download", "-json", wanted], options));
    if (Sum !== sum) throw new InputError(`${wanted} has the checksum ${Sum}, and ${sum} is pinned`);
    return Dir;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const remedy = "Schemas for the tests need Go (https://go.dev/dl), its module proxy or a filled module cache";
    throw new InputError(`${remedy}: could not get ${wanted}\n${lastLines(error.stderr, 10)}`, { cause: error });
  }
}
