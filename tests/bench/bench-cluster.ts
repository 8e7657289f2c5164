import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { downCluster, findCluster, loadImage, upCluster } from "../../deploy/local/local-cluster.ts";
import { renderTestTaskCrd } from "../../src/core/test-task/crd.ts";
import { TEST_TASK_API_VERSION, TEST_TASK_KIND } from "../../src/core/test-task/test-task.ts";
import { type KubeClient, loadKubeClient } from "../../src/kube/client/kube-client.ts";
import { isAlreadyExists, isNotFound, KubeError } from "../../src/kube/client/kube-error.ts";
import { type Resource, TEST_TASKS } from "../../src/kube/client/resource.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { ensureImage } from "../../tools/image.ts";
import { runCommand } from "../../tools/machine/run-command.ts";
import type { BenchWorld } from "./bench-world.ts";

const NAMESPACES: Resource = { group: "", version: "v1", plural: "namespaces" };
const CRDS: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
/** For the API server to serve a new CRD, and for a namespace to be gone. */
const SETTLE_MS = 60_000;
const POLL_MS = 200;

export interface ClusterFlags {
  cluster: string;
  kubeconfig?: string;
  context?: string;
  image?: string;
}

/** A cluster to measure on, and a namespace of the bench's own in it. Disposing of it takes away what it made, and nothing else. */
export interface BenchCluster extends AsyncDisposable {
  /** How the operator finds the cluster, as its arguments. */
  readonly operatorArgs: readonly string[];
  readonly client: KubeClient;
  readonly namespace: string;
  /** Where pods reach this machine; known of a local cluster alone. */
  readonly hostAddress: string | undefined;
  /** Has `true` and `sh`, and is on the node. */
  readonly image: string;
  applyTestTask(name: string, spec: object): Promise<void>;
  /** Runs kubectl in the bench's namespace: the local cluster's, or the one on the PATH. */
  kubectl(...args: string[]): Promise<string>;
  /** The same with what it prints going to a file; resolves to the processor time that it took, in seconds. */
  kubectlTo(file: string, ...args: string[]): Promise<number>;
}

export function configureCluster(command: Command): void {
  command
    .option("--cluster <name>", "local cluster to measure on: one that is up stays up, else it is brought up and taken down again", "bench")
    .option("--kubeconfig <file>", "another cluster instead; needs --image")
    .option("--context <name>", "context of that kubeconfig")
    .option("--image <name>", "image of the tests, with sh and true, that the nodes have or can pull (default: this program's, loaded)");
}

export async function openBenchCluster(flags: ClusterFlags, world: BenchWorld): Promise<BenchCluster> {
  const { signal } = world;
  await using stack = new AsyncDisposableStack();
  const choice = flags.kubeconfig === undefined ? await openLocal(flags, world, stack) : openForeign(flags);
  signal.throwIfAborted();
  const client = await loadKubeClient(choice);
  stack.defer(() => client.close());
  await installCrd(client, stack);
  signal.throwIfAborted();

  const namespace = `bench-${randomBytes(3).toString("hex")}`;
  await client.create(NAMESPACES, undefined, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  stack.defer(() => deleteNamespace(client, namespace));
  const owned = stack.move();
  const clusterArgs = ["--kubeconfig", choice.kubeconfig, ...(choice.context === undefined ? [] : ["--context", choice.context])];
  return {
    operatorArgs: clusterArgs,
    kubectl: (...args) => runCommand(choice.kubectl, [...clusterArgs, "--namespace", namespace, ...args]),
    kubectlTo: async (file, ...args) => {
      const told = await runCommand("sh", [
        ...["-c", 'file=$1; shift; "$@" > "$file"; times', "sh", file],
        ...[choice.kubectl, ...clusterArgs, "--namespace", namespace, ...args],
      ]);
      return parseChildTimes(told);
    },
    client,
    namespace,
    image: choice.image,
    hostAddress: choice.hostAddress,
    async applyTestTask(name, spec) {
      const task = { apiVersion: TEST_TASK_API_VERSION, kind: TEST_TASK_KIND, metadata: { name }, spec };
      await retryWhile(isNotServed, () => client.create(TEST_TASKS, namespace, task), signal);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** One whose pods reach servers of this machine, at `hostAddress`. */
export async function openLocalBenchCluster(flags: ClusterFlags, world: BenchWorld): Promise<BenchCluster & { hostAddress: string }> {
  if (flags.kubeconfig !== undefined)
    throw new InputError("a local cluster is needed, whose pods reach this machine: leave --kubeconfig out");
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await openBenchCluster(flags, world));
  const { hostAddress } = cluster;
  if (hostAddress === undefined) throw new InputError("the local cluster does not say where its pods reach this machine");
  const owned = stack.move();
  return { ...cluster, hostAddress, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The second line of what a shell's `times` says: user and system time of its children, `0m1.234s 0m0.567s`. */
function parseChildTimes(text: string): number {
  const times =
    text
      .trim()
      .split("\n")
      .at(-1)
      ?.matchAll(/(\d+)m([\d.]+)s/g) ?? [];
  return Array.from(times, ([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds)).reduce((sum, each) => sum + each, 0);
}

interface ClusterChoice {
  kubectl: string;
  kubeconfig: string;
  context?: string;
  image: string;
  hostAddress?: string;
}

async function openLocal(
  { cluster: name, context, image }: ClusterFlags,
  world: BenchWorld,
  stack: AsyncDisposableStack,
): Promise<ClusterChoice> {
  const { signal, log } = world;
  if (context !== undefined) throw new InputError("--context goes with --kubeconfig FILE");
  const present = await findCluster(name, log);
  signal.throwIfAborted();
  if (present !== null) log(`measures on cluster ${name}, which stays up`);
  else stack.defer(() => downCluster({ name, log }));
  const { kubectl, kubeconfig, hostAddress } = present ?? (await upCluster({ name, log }));
  signal.throwIfAborted();
  if (image !== undefined) return { kubectl, kubeconfig, hostAddress, image };
  log(`loading this program's image into cluster ${name}`);
  const own = await ensureImage({ log });
  signal.throwIfAborted();
  await loadImage(name, own.archive);
  return { kubectl, kubeconfig, hostAddress, image: own.tag };
}

function openForeign({ kubeconfig = "", context, image }: ClusterFlags): ClusterChoice {
  if (image === undefined) throw new InputError("--kubeconfig needs --image: an image with sh and true that the nodes have or can pull");
  return { kubectl: "kubectl", kubeconfig, image, ...(context === undefined ? {} : { context }) };
}

/** One that is there is used as it is. */
async function installCrd(client: KubeClient, stack: AsyncDisposableStack): Promise<void> {
  const crd = renderTestTaskCrd() as { metadata: { name: string } };
  try {
    await client.create(CRDS, undefined, crd);
  } catch (error) {
    if (isAlreadyExists(error)) return;
    throw error;
  }
  stack.defer(() => client.delete(CRDS, undefined, crd.metadata.name, { propagationPolicy: "Background" }));
}

async function deleteNamespace(client: KubeClient, namespace: string): Promise<void> {
  await client.delete(NAMESPACES, undefined, namespace, { propagationPolicy: "Background" });
  const deadlineMs = performance.now() + SETTLE_MS;
  while (await client.get(NAMESPACES, undefined, namespace).catch(nothingIf(isNotFound))) {
    if (performance.now() > deadlineMs)
      throw new InputError(`namespace ${namespace} is still there: kubectl get namespace ${namespace} -o yaml says why`);
    await systemClock.sleep(POLL_MS);
  }
}

function nothingIf(isExpected: (error: unknown) => boolean): (error: unknown) => undefined {
  return (error) => {
    if (!isExpected(error)) throw error;
  };
}

/** Before it serves a resource the API server says 404 without a Status of its own. */
function isNotServed(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

/** A CRD just created is served a moment later. */
async function retryWhile(isTooEarly: (error: unknown) => boolean, work: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + SETTLE_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isTooEarly(error) || performance.now() > deadlineMs) throw error;
    }
    await systemClock.sleep(POLL_MS, signal);
  }
}
