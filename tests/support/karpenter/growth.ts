import type { KubeObject, Pod } from "../../../src/core/kubernetes/objects.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import { PODS, type Resource } from "../../../src/kube/client/resource.ts";
import { makeListWatch } from "../../../src/kube/watch/list-watch.ts";
import { makeLogger } from "../../../src/runtime/logger.ts";

const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
const NODE_CLAIMS: Resource = { group: "karpenter.sh", version: "v1", plural: "nodeclaims" };
const LOOK_MS = 1_000;

/** How it stood at a moment. */
interface GrowthRow {
  /** Since the first row. */
  seconds: number;
  /** Builds at the Gearman server that have no pod yet. */
  queued: number;
  /** Pods without a node, and pods with one that have not ended. */
  waiting: number;
  running: number;
  /** Machines that Karpenter has asked for, and those of them that are nodes. */
  ordered: number;
  nodes: number;
  /** Results that Zuul has. */
  results: number;
}

interface GrowthOptions {
  client: KubeClient;
  namespace: string;
  podSelector: string;
  nodeSelector: string;
  /** Of what Zuul knows. */
  counts(): { submitted: number; results: number };
}

/** Looks once a second at a cluster that grows and shrinks under builds. */
export interface Growth extends AsyncDisposable {
  readonly rows: readonly GrowthRow[];
  /** Pods without a node at this moment, and nodes. */
  waiting(): number;
  nodes(): number;
  /** The most of a column so far. */
  most(column: keyof GrowthRow): number;
}

export async function watchGrowth({ client, namespace, podSelector, nodeSelector, counts }: GrowthOptions): Promise<Growth> {
  await using stack = new AsyncDisposableStack();
  const watch = async <T extends KubeObject>(resource: Resource, namespaces: readonly string[] | undefined, labelSelector: string) => {
    const objects = makeListWatch<T>({ client, resource, namespaces, labelSelector, onChange() {}, logger: makeLogger("error") });
    stack.defer(() => objects.stop());
    await objects.start();
    await objects.synced();
    return () => [...objects.values()];
  };
  const pods = await watch<Pod>(PODS, [namespace], podSelector);
  const nodes = await watch(NODES, undefined, nodeSelector);
  const claims = await watch(NODE_CLAIMS, undefined, nodeSelector);
  const startedMs = performance.now();
  const rows: GrowthRow[] = [];
  const waiting = () => pods().filter(({ spec }) => spec?.nodeName === undefined).length;
  const look = () => {
    const all = pods();
    const ended = all.filter(({ status }) => status?.phase === "Succeeded" || status?.phase === "Failed").length;
    const { submitted, results } = counts();
    rows.push({
      seconds: Math.round((performance.now() - startedMs) / 1000),
      queued: submitted - all.length,
      waiting: waiting(),
      running: all.length - waiting() - ended,
      ordered: claims().length,
      nodes: nodes().length,
      results,
    });
  };
  const timer = setInterval(look, LOOK_MS);
  stack.defer(() => clearInterval(timer));
  const owned = stack.move();
  return {
    rows,
    waiting,
    nodes: () => nodes().length,
    most: (column) => Math.max(...rows.map((row) => row[column])),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A line for each moment at which something had changed. */
export function renderGrowth(rows: readonly GrowthRow[]): string {
  const titles = ["s", "queued", "waiting", "running", "ordered", "nodes", "results"];
  const cells = rows.map(({ seconds, ...counts }) => [seconds, ...Object.values(counts)].map(String));
  const changed = cells.filter((row, index) => row.slice(1).join() !== cells[index - 1]?.slice(1).join());
  return [titles, ...changed].map((row) => row.map((cell) => cell.padStart(8)).join("")).join("\n");
}
