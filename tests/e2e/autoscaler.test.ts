import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { JOB_NAME_LABEL, TASK_LABEL, VERDICT_ANNOTATION } from "../../src/core/kubernetes/labels.ts";
import { type KubeClient, loadKubeClient } from "../../src/kube/client/kube-client.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { HELD_LABEL, startKwok } from "../support/cluster/kwok.ts";
import { startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { renderGrowth, watchGrowth } from "../support/karpenter/growth.ts";
import { type NodePool, startKarpenter } from "../support/karpenter/karpenter.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const INSTALLATION = "autoscaled";
/** Submitted at once; each wants a processor, of which a large machine gives 15. */
const BURST = 200;
/** From the order of a machine to its node; for the burst longer than a pod may take from its node to its test, which must not matter. */
const SLOW_NODE_SECONDS = 30;
const NODE_SECONDS = 5;
const PULL_LIMIT = "25s";
const RUNS_MS = [5_000, 10_000] as const;
/** They fill a large machine; one of them would fit a small one. */
const HELD = 8;
/** One task's builds that wait for a node get half of the places, where there are other tasks. */
const MAX_BUILDS = 2 * BURST + 4 * HELD;
/** Karpenter looks for nodes that it can do without every 10 s, and looks again after 15 s before it does anything. */
const LIMIT_MS = 120_000;
const TEST = { timeout: 240_000 };

const context = useTestCluster("autoscaler");
const stack = new AsyncDisposableStack();
let client: KubeClient;
let zuul: ZuulLauncher;
let pools: Record<"burst" | "guarded" | "moved", NodePool>;

function kubectl(...args: string[]): Promise<string> {
  return context.kubectl("--namespace", context.namespace, ...args);
}

function testTask(name: string, pool: NodePool, { isHeld = false, annotations = {} }): object {
  return {
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name },
    spec: {
      resources: { requests: { cpu: "1", memory: "1Gi" } },
      timeouts: { pull: PULL_LIMIT },
      annotations,
      template: {
        metadata: { labels: isHeld ? { [HELD_LABEL]: "true" } : {} },
        spec: { ...pool.podSpec, containers: [{ name: "test", image: "example.invalid/test:1", command: ["true"] }] },
      },
    },
  };
}

async function setUp(): Promise<void> {
  const { kubeconfig } = context.cluster;
  const log = (line: string) => console.error(line);
  client = await loadKubeClient({ kubeconfig });
  stack.defer(() => client.close());
  stack.use(await startKwok({ clusterArgs: ["--kubeconfig", kubeconfig], runsMs: RUNS_MS, log }));
  const karpenter = stack.use(await startKarpenter({ kubeconfig, kubectl: (...args) => context.kubectl(...args) }));
  // Whatever became of the tests: no pod may hold a node back.
  stack.defer(
    async () =>
      void (await kubectl("delete", "jobs", "--selector", `${TASK_LABEL} in (guarded,moved)`, "--cascade=foreground", "--timeout=60s")),
  );
  pools = {
    burst: await karpenter.applyNodePool("burst", SLOW_NODE_SECONDS),
    guarded: await karpenter.applyNodePool("guarded", NODE_SECONDS),
    moved: await karpenter.applyNodePool("moved", NODE_SECONDS),
  };
  await context.apply(
    testTask("burst", pools.burst, {}),
    testTask("guarded", pools.guarded, { isHeld: true }),
    testTask("moved", pools.moved, { isHeld: true, annotations: { "karpenter.sh/do-not-disrupt": "false" } }),
  );
  const gearman = await startGearmand();
  stack.defer(() => gearman.stop());
  stack.use(
    await startOperator({
      kubeconfig,
      config: {
        ...{ installation: INSTALLATION, namespaces: [context.namespace], image: context.image, maxBuilds: MAX_BUILDS },
        gearman: { servers: [gearman.address] },
      },
    }),
  );
  await kubectl("wait", "testtasks", "--all", "--for=condition=Registered", "--timeout=60s");
  zuul = stack.use(await startZuulLauncher({ server: gearman.address }));
}

/** The names of its pods that run: one, or none while it waits. */
async function runningPods(number: unknown): Promise<string[]> {
  const told = await kubectl(
    ...["get", "pods", "--selector", `${JOB_NAME_LABEL}=${number}`, "--field-selector", "status.phase=Running", "--output", "name"],
  );
  return told.split("\n").filter((name) => name !== "");
}

async function nodeOf(pod: string): Promise<string> {
  return kubectl("get", pod, "--output", "jsonpath={.spec.nodeName}");
}

function untilRunning(build: ZuulBuild): Promise<unknown> {
  return build.waitFor("update", ({ numerator }) => numerator === "4");
}

/** Lets the tests of these builds end. */
async function release(builds: readonly ZuulBuild[]): Promise<void> {
  const numbers = await Promise.all(builds.map(async ({ started }) => (await started).number));
  await kubectl("label", "pods", "--selector", `${JOB_NAME_LABEL} in (${numbers.join()})`, `${HELD_LABEL}-`);
}

/** Eight builds that fill a large machine, of which all but one have ended: that one could be on a small machine. */
async function leaveOne(job: string): Promise<{ build: ZuulBuild; number: unknown; pod: string; node: string }> {
  const builds = Array.from({ length: HELD }, () => zuul.launch({ job }));
  await Promise.all(builds.map(untilRunning));
  const [build, ...others] = builds as [ZuulBuild, ...ZuulBuild[]];
  const { number } = await build.started;
  const [pod = ""] = await runningPods(number);
  const node = await nodeOf(pod);
  await release(others);
  assert.deepEqual(new Set(await Promise.all(others.map(endOf))), new Set(["SUCCESS at launch 1"]));
  return { build, number, pod, node };
}

/** Resolves once Karpenter has told of a node that it would be rid of and is not, for that pod. */
async function untilTold(reason: string, node: string, text: string): Promise<void> {
  await waitUntil(`Karpenter's ${reason} of ${node}`, LIMIT_MS, async () => {
    const selector = `reason=${reason},involvedObject.name=${node}`;
    const messages = await context.kubectl(
      ...["get", "events", "--all-namespaces", "--field-selector", selector, "--output", "jsonpath={.items[*].message}"],
    );
    return messages.includes(text);
  });
}

async function endOf({ completed }: ZuulBuild): Promise<string> {
  const { result, attempts } = await completed;
  return `${result} at launch ${attempts}`;
}

async function verdictOf(number: unknown): Promise<{ rule: string }> {
  const { metadata } = JSON.parse(await kubectl("get", "job", String(number), "--output", "json"));
  return JSON.parse(metadata.annotations[VERDICT_ANNOTATION]);
}

describe("a cluster that Karpenter grows and shrinks", { concurrency: true }, () => {
  before(setUp);
  after(() => stack.disposeAsync());

  test("has no node for builds before a burst, all that it needs for it, and none after it", TEST, async () => {
    let results = 0;
    await using growth = await watchGrowth({
      ...{ client, namespace: context.namespace, podSelector: `${TASK_LABEL}=burst`, nodeSelector: pools.burst.selector },
      counts: () => ({ submitted: BURST, results }),
    });
    assert.equal(growth.nodes(), 0);
    const builds = Array.from({ length: BURST }, () => zuul.launch({ job: "burst" }));
    const ends = await Promise.all(
      builds.map(async (build) => {
        const end = await endOf(build);
        results += 1;
        return end;
      }),
    );
    await waitUntil("the nodes to be given back", LIMIT_MS, () => growth.nodes() === 0);
    console.log(renderGrowth(growth.rows));
    assert.deepEqual(new Set(ends), new Set(["SUCCESS at launch 1"]));
    // Every build could be seen by the autoscaler before there was a node; none was given up while it waited longer than pulling may take.
    assert.equal(growth.most("waiting"), BURST);
    assert.ok(growth.most("nodes") >= Math.ceil(BURST / 16), `${growth.most("nodes")} nodes`);
  });

  test("moves a build that may be moved, and keeps a node, underused or deleted, until a build that may not has ended", TEST, async () => {
    const [guarded, moved] = await Promise.all([leaveOne("guarded"), leaveOne("moved")]);
    const again = await moved.build.waitFor("started", ({ number }) => number !== moved.number);
    await waitUntil("the second launch to run", LIMIT_MS, async () => (await runningPods(again.number)).length === 1);
    const [pod = ""] = await runningPods(again.number);
    assert.notEqual(await nodeOf(pod), moved.node);
    assert.equal((await verdictOf(moved.number)).rule, "drained");

    await untilTold("DisruptionBlocked", guarded.node, '"karpenter.sh/do-not-disrupt" annotation');
    await context.kubectl("delete", "node", guarded.node, "--wait=false");
    await untilTold("FailedDraining", guarded.node, "1 pods are waiting to be evicted");
    assert.deepEqual(await runningPods(guarded.number), [guarded.pod]);

    await kubectl("label", "pods", "--all", `${HELD_LABEL}-`);
    assert.deepEqual([await endOf(moved.build), await endOf(guarded.build)], ["SUCCESS at launch 2", "SUCCESS at launch 1"]);
    await waitUntil("the deleted node to go", LIMIT_MS, async () => {
      return (await context.kubectl("get", "nodes", "--output", "name")).split("\n").every((name) => name !== `node/${guarded.node}`);
    });
  });
});
