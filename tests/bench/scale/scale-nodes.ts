import type { Condition, KubeObject } from "../../../src/core/kubernetes/objects.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import type { Resource } from "../../../src/kube/client/resource.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { PLAYED_NODE_ANNOTATION, startKwok } from "../../support/cluster/kwok.ts";
import type { BenchWorld } from "../bench-world.ts";

const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
const READY_LIMIT_MS = 60_000;
const NODE_COUNT = 10;
const PODS_PER_NODE = 250;

/** Node label of the nodes that kwok plays: only pods that ask for it belong there. */
export const PLAYED_NODE_SELECTOR = { "bench.turbo-hipster.io/node": "played" };

interface PlayedNodes extends AsyncDisposable {
  /** Of kwok. */
  readonly pid: number;
}

interface PlayedNodesOptions {
  client: KubeClient;
  /** How kwok finds the cluster, as its arguments: `--kubeconfig FILE`. */
  clusterArgs: readonly string[];
  world: BenchWorld;
}

/**
 * Ten nodes with room for 250 pods each, on which kwok plays the kubelet: a pod bound to one runs at once and succeeds at once.
 * Resolves when they take pods; disposing of it takes nodes and kwok away.
 */
export async function startPlayedNodes({ client, clusterArgs, world: { signal, log } }: PlayedNodesOptions): Promise<PlayedNodes> {
  await using stack = new AsyncDisposableStack();
  const names = Array.from({ length: NODE_COUNT }, (_, index) => `played-${index}`);
  for (const name of names) {
    await client.create(NODES, undefined, renderNode(name));
    stack.defer(() => client.delete(NODES, undefined, name, { propagationPolicy: "Background" }));
  }
  const kwok = stack.use(await startKwok({ clusterArgs, log }));
  await waitUntil("the nodes that kwok plays to be ready", READY_LIMIT_MS, async () => {
    signal.throwIfAborted();
    if (kwok.hasExited) throw new Error(`kwok has ended: ${kwok.log()}`);
    const nodes = await Promise.all(names.map((name) => client.get<Node>(NODES, undefined, name)));
    return nodes.every(isReady);
  });
  const owned = stack.move();
  return { pid: kwok.pid, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Node extends KubeObject {
  spec?: { taints?: unknown[] };
  status?: { conditions?: Condition[] };
}

function isReady({ spec, status }: Node): boolean {
  // The taint of a node that was not ready is taken off a moment after it became so.
  return (
    (spec?.taints ?? []).length === 0 &&
    status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true
  );
}

function renderNode(name: string): object {
  const room = { cpu: "1000", memory: "1000Gi", "ephemeral-storage": "1000Gi", pods: String(PODS_PER_NODE) };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, annotations: PLAYED_NODE_ANNOTATION, labels: { ...PLAYED_NODE_SELECTOR, "kubernetes.io/hostname": name } },
    status: { capacity: room, allocatable: room, nodeInfo: { kubeletVersion: "played", operatingSystem: "linux", architecture: "amd64" } },
  };
}
