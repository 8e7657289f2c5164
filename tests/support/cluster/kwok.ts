import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { buildParts } from "../../../deploy/local/parts.ts";
import { type Child, startChild } from "../child-process.ts";

/** Its own name for a node that it plays. */
const PLAYED = "kwok.x-k8s.io/node";
/** Annotation of the nodes that kwok plays. */
export const PLAYED_NODE_ANNOTATION = { [PLAYED]: "fake" };
/** A pod with this label runs until the label goes. */
export const HELD_LABEL = "played.turbo-hipster.test/held";

interface KwokOptions {
  /** How kwok finds the cluster, as its arguments: `--kubeconfig FILE`. */
  clusterArgs: readonly string[];
  /** How long a pod runs that is not held: something between these two. */
  runsMs?: readonly [from: number, to: number];
  log: (line: string) => void;
}

/**
 * Starts kwok as the kubelet of every node with PLAYED_NODE_ANNOTATION: the node becomes ready, a pod bound to it runs at once and succeeds
 * when it has run, and one that is deleted fails, with exit code 143. No container runs.
 */
export async function startKwok({ clusterArgs, runsMs: [fromMs, toMs] = [0, 0], log }: KwokOptions): Promise<Child & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const programs = await buildParts(["kwok"], log);
  const directory = await mkdtemp(join(tmpdir(), "th-kwok-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const config = join(directory, "stages.yaml");
  await writeFile(
    config,
    renderStages(fromMs, toMs)
      .map((stage) => `---\n${stringify(stage)}`)
      .join(""),
  );
  const kwok = await startChild({
    command: join(programs, "kwok"),
    args: [
      ...[...clusterArgs, "--manage-all-nodes=false", `--manage-nodes-with-annotation-selector=${PLAYED}=fake`, `--config=${config}`],
      // By its Lease a node stays ready.
      "--node-lease-duration-seconds=40",
    ],
    // What goes to the cluster must not be sent to a proxy that this machine may be told to use.
    env: { NO_PROXY: "*", no_proxy: "*" },
  });
  stack.defer(async () => void (await kwok.stop()));
  const owned = stack.move();
  return Object.assign(kwok, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

type Requirement = [key: string, operator: "Exists" | "DoesNotExist" | "In" | "NotIn", ...values: string[]];

/** What kwok does to an object that meets all the requirements. https://kwok.sigs.k8s.io/docs/user/stages-configuration/ */
function makeStage(name: string, kind: "Node" | "Pod", requirements: readonly Requirement[], next: object, delay?: object): object {
  const matchExpressions = requirements.map(([key, operator, ...values]) => ({ key, operator, ...(values.length > 0 ? { values } : {}) }));
  return {
    apiVersion: "kwok.x-k8s.io/v1alpha1",
    kind: "Stage",
    metadata: { name },
    spec: { resourceRef: { apiGroup: "v1", kind }, selector: { matchExpressions }, next, ...(delay && { delay }) },
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

const renderStages = (fromMs: number, toMs: number) => [
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
    { durationMilliseconds: fromMs, jitterDurationMilliseconds: toMs },
  ),
  makeStage(
    "pod-is-ended",
    "Pod",
    [
      [".metadata.deletionTimestamp", "Exists"],
      [".status.phase", "In", "Pending", "Running"],
    ],
    {
      statusTemplate: `
{{ $now := Now }}
phase: Failed
${CONTAINERS(`  ready: false
  started: false
  state: {terminated: {exitCode: 143, reason: Error, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}`)}`,
    },
  ),
  makeStage(
    "pod-goes",
    "Pod",
    [
      [".metadata.deletionTimestamp", "Exists"],
      [".status.phase", "NotIn", "Pending", "Running"],
    ],
    { delete: true },
  ),
];
