import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../src/runtime/errors.ts";
import { cacheDirectory, markUsed, removeUnused } from "../../tools/machine/cache-directory.ts";
import { withFileLock } from "../../tools/machine/file-lock.ts";
import { CommandError, lastLines, runCommand } from "../../tools/machine/run-command.ts";

/** What is being built, in the directory of what is whole. */
const UNFINISHED = "unfinished-";
const SOURCES = join(import.meta.dirname, "parts");

/**
 * The programs that are built from the Go modules pinned in parts/go.mod. To add one: a `tool` line there, `go mod tidy`, a line here.
 * `version` names the module whose version the program is told at link time, and the variables that take it.
 */
const PARTS = {
  etcd: { package: "go.etcd.io/etcd/server/v3" },
  "kube-apiserver": { package: "k8s.io/kubernetes/cmd/kube-apiserver", version: kubernetesVersion },
  "kube-controller-manager": { package: "k8s.io/kubernetes/cmd/kube-controller-manager", version: kubernetesVersion },
  "kube-scheduler": { package: "k8s.io/kubernetes/cmd/kube-scheduler", version: kubernetesVersion },
  kubelet: { package: "k8s.io/kubernetes/cmd/kubelet", version: kubernetesVersion },
  "kube-proxy": { package: "k8s.io/kubernetes/cmd/kube-proxy", version: kubernetesVersion },
  coredns: { package: "./coredns" },
  kubectl: { package: "k8s.io/kubernetes/cmd/kubectl", version: kubernetesVersion },
  helm: { package: "helm.sh/helm/v3/cmd/helm", version: helmVersion },
  kwok: { package: "sigs.k8s.io/kwok/cmd/kwok" },
  pause: { package: "./pause" },
} as const satisfies Record<string, { package: string; version?: (goMod: string) => Record<string, string> }>;

type PartName = keyof typeof PARTS;

/** What a cluster is made of; the other parts are built when somebody asks for them. */
export const CLUSTER_PARTS: readonly PartName[] = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
  "coredns",
  "kubectl",
  "helm",
  "pause",
];

function kubernetesVersion(goMod: string): Record<string, string> {
  const version = pinnedVersion(goMod, "k8s.io/kubernetes");
  const [major, minor] = version.slice(1).split(".") as [string, string];
  const variables: Record<string, string> = {};
  for (const place of ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]) {
    variables[`${place}.gitVersion`] = version;
    variables[`${place}.gitMajor`] = major;
    variables[`${place}.gitMinor`] = minor;
  }
  return variables;
}

function helmVersion(goMod: string): Record<string, string> {
  const [, major = "", minor = ""] = pinnedVersion(goMod, "k8s.io/kubernetes").match(/^v(\d+)\.(\d+)\./) ?? [];
  return {
    "helm.sh/helm/v3/internal/version.version": pinnedVersion(goMod, "helm.sh/helm/v3"),
    // What `helm template` takes the cluster for; otherwise v1.20, which charts of today refuse.
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": major,
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": minor,
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": major,
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": minor,
  };
}

function pinnedVersion(goMod: string, module: string): string {
  const version = goMod.match(new RegExp(`^\\s*(?:require )?${module.replaceAll(".", "\\.")} (v\\S+)`, "m"))?.[1];
  if (version === undefined) throw new InputError(`deploy/local/parts/go.mod does not require ${module}`);
  return version;
}

/**
 * Builds those of the parts that the cache does not hold and gives the directory all of them are in, each under its name. Only one build
 * runs at a time, others wait; what is in the directory is always whole. Throws InputError when there is no usable Go, with the remedy.
 */
export async function buildParts(names: readonly PartName[], log: (line: string) => void): Promise<string> {
  const directory = await partsDirectory();
  const missing = () => names.filter((name) => !existsSync(join(directory, name)));
  if (missing().length === 0) {
    markUsed(directory);
    return directory;
  }
  const waiting = () => log("waiting for another build of the cluster's programs to end");
  await withFileLock(cacheDirectory("parts", "lock"), waiting, () => buildInto(directory, missing(), log));
  return directory;
}

/** The caller holds the lock. */
async function buildInto(directory: string, names: readonly PartName[], log: (line: string) => void): Promise<void> {
  if (names.length === 0) return;
  log(`building ${names.length} programs from pinned Go modules, once for ${directory}; this takes minutes`);
  mkdirSync(directory, { recursive: true });
  for (const entry of readdirSync(directory)) {
    if (entry.startsWith(UNFINISHED)) rmSync(join(directory, entry), { recursive: true, force: true });
  }
  // A directory nobody else knows: the compiler of a build that was killed may still be writing to its own.
  const unfinished = mkdtempSync(join(directory, UNFINISHED));
  for (const [index, name] of names.entries()) {
    await buildPart(name, join(unfinished, name), `${name} (${index + 1} of ${names.length})`, log);
    renameSync(join(unfinished, name), join(directory, name));
  }
  rmSync(unfinished, { recursive: true, force: true });
  removeUnused(cacheDirectory("parts"));
}

/** Where the parts are kept: one directory for each combination of sources, link flags, Go version and platform. */
async function partsDirectory(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum", "pause/main.go", "coredns/main.go"]) hash.update(readFileSync(join(SOURCES, file))).update("\0");
  const platform = await go(["env", "GOVERSION", "GOOS", "GOARCH"]);
  const flags = (Object.keys(PARTS) as PartName[]).map(linkFlags).join("\n");
  return cacheDirectory("parts", hash.update(platform).update(flags).digest("hex").slice(0, 16));
}

async function buildPart(name: PartName, output: string, title: string, log: (line: string) => void): Promise<void> {
  const started = performance.now();
  const elapsed = () => `${Math.round((performance.now() - started) / 1000)} s`;
  log(`building ${title} ...`);
  const heartbeat = setInterval(() => log(`building ${title} ... ${elapsed()}`), 30_000);
  try {
    await go(["build", "-buildvcs=false", "-trimpath", `-ldflags=${linkFlags(name)}`, "-o", output, PARTS[name].package]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new InputError(
      `could not build ${name} in ${SOURCES}:\n${lastLines(error.stderr, 20)}\nGo needs its module proxy (go env GOPROXY) or a filled module cache.`,
      { cause: error },
    );
  } finally {
    clearInterval(heartbeat);
  }
  log(`built ${title} in ${elapsed()}`);
}

function linkFlags(name: PartName): string {
  const part = PARTS[name];
  const variables = "version" in part ? part.version(readFileSync(join(SOURCES, "go.mod"), "utf8")) : {};
  return ["-s -w", ...Object.entries(variables).map(([variable, value]) => `-X ${variable}=${value}`)].join(" ");
}

async function go(args: readonly string[]): Promise<string> {
  try {
    return await runCommand("go", args, { cwd: SOURCES, env: { CGO_ENABLED: "0", GOWORK: "off" } });
  } catch (error) {
    if (!(error instanceof CommandError) || args[0] === "build") throw error;
    const needed = readFileSync(join(SOURCES, "go.mod"), "utf8").match(/^go (\S+)/m)?.[1];
    const remedy = `Install Go ${needed} or later (https://go.dev/dl) and put it on the PATH`;
    if (error.exitCode === null) throw new InputError(`the local cluster is built with Go, and there is no \`go\` on the PATH. ${remedy}.`);
    throw new InputError(`this Go is not good enough. ${remedy}.\n${lastLines(error.stderr, 3)}`);
  }
}
