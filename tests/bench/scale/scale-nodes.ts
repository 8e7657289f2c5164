import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { buildParts } from "../../../deploy/local/parts.ts";
import type { Condition, KubeObject } from "../../../src/core/kubernetes/objects.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import type { Resource } from "../../../src/kube/client/resource.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { startChild } from "../../support/child-process.ts";
import type { BenchWorld } from "../bench-world.ts";

const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
const READY_LIMIT_MS = 60_000;
/** Makes kwok play a node; its own name for it. */
const PLAYED = "kwok.x-k8s.io/node";
const NODE_COUNT = 10;
const PODS_PER_NODE = 250;

/** Node label of the nodes that kwok plays: only pods that ask for it belong there. */
export const PLAYED_NODE_SELECTOR = { "bench.turbo-hipster.io/node": "played" };
/** A pod with this label runs until the label goes. */
export const HELD_LABEL = "bench.turbo-hipster.io/held";

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
 * Ten nodes with room for 250 pods each, on which kwok plays the kubelet: a pod bound to one runs at once and succeeds at once, with two
 * writes of its status. No container runs. Resolves when they take pods; disposing of it takes nodes and kwok away.
 */
export async function startPlayedNodes({ client, clusterArgs, world: { signal, log } }: PlayedNodesOptions): Promise<PlayedNodes> {
  await using stack = new AsyncDisposableStack();
  const programs = await buildParts(["kwok"], log);
  signal.throwIfAborted();
  const directory = await mkdtemp(join(tmpdir(), "th-kwok-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const config = join(directory, "stages.yaml");
  await writeFile(config, STAGES.map((stage) => `---\n${stringify(stage)}`).join(""));

  const names = Array.from({ length: NODE_COUNT }, (_, index) => `played-${index}`);
  for (const name of names) {
    await client.create(NODES, undefined, renderNode(name));
    stack.defer(() => client.delete(NODES, undefined, name, { propagationPolicy: "Background" }));
  }
  const kwok = await startChild({
    command: join(programs, "kwok"),
    args: [...clusterArgs, "--manage-all-nodes=false", `--manage-nodes-with-annotation-selector=${PLAYED}=fake`, `--config=${config}`],
    // What goes to the cluster must not be sent to a proxy that this machine may be told to use.
    env: { NO_PROXY: "*", no_proxy: "*" },
  });
  stack.defer(async () => void (await kwok.stop()));
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
    metadata: { name, annotations: { [PLAYED]: "fake" }, labels: { ...PLAYED_NODE_SELECTOR, "kubernetes.io/hostname": name } },
    status: { capacity: room, allocatable: room, nodeInfo: { kubeletVersion: "played", operatingSystem: "linux", architecture: "amd64" } },
  };
}

type Requirement = [key: string, operator: "Exists" | "DoesNotExist" | "In" | "NotIn", ...values: string[]];

/** What kwok does to an object that meets all the requirements. https://kwok.sigs.k8s.io/docs/user/stages-configuration/ */
function makeStage(name: string, kind: "Node" | "Pod", requirements: readonly Requirement[], next: object): object {
  const matchExpressions = requirements.map(([key, operator, ...values]) => ({ key, operator, ...(values.length > 0 ? { values } : {}) }));
  return {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name },
    spec: { resourceRef: { apiGroup: "v1", kind }, selector: { matchExpressions }, next },
  };
}

const CONTAINERS = (state: string) => `
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  restartCount: 0
${state}
{{ end }}`;

const STAGES = [
  makeStage("node-ready", "Node", [['.status.conditions.[] | select( .type == "Ready" ) | .status', "NotIn", "True"]], {
    statusTemplate: `
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}`,
  }),
  makeStage(
    "pod-runs",
    "Pod",
    [
      [".metadata.deletionTimestamp", "DoesNotExist"],
      [".status.phase", "In", "Pending"],
    ],
    {
      statusTemplate: `
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
conditions:
{{ range $type := list "PodReadyToStartContainers" "Initialized" "ContainersReady" "Ready" }}
- type: {{ $type | Quote }}
  status: "True"
  lastTransitionTime: {{ $now | Quote }}
{{ end }}${CONTAINERS(`  ready: true
  started: true
  state: {running: {startedAt: {{ $now | Quote }}}}`)}`,
    },
  ),
  makeStage(
    "pod-succeeds",
    "Pod",
    [
      [".metadata.deletionTimestamp", "DoesNotExist"],
      [".status.phase", "In", "Running"],
      [`.metadata.labels["${HELD_LABEL}"]`, "DoesNotExist"],
    ],
    {
      statusTemplate: `
{{ $now := Now }}
phase: Succeeded
${CONTAINERS(`  ready: false
  started: false
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}`)}`,
    },
  ),
  makeStage("pod-goes", "Pod", [[".metadata.deletionTimestamp", "Exists"]], { delete: true }),
];
