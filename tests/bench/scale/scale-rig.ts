import { clusterPaths } from "../../../deploy/local/cluster-paths.ts";
import { renderJob } from "../../../src/core/job/manifest.ts";
import type { PodTemplate } from "../../../src/core/kubernetes/objects.ts";
import { parseTestTask, TEST_TASK_API_VERSION, TEST_TASK_KIND, type TestTaskSpecAsWritten } from "../../../src/core/test-task/test-task.ts";
import { readBuildFunction } from "../../../src/core/zuul/function-name.ts";
import { parseParameters } from "../../../src/core/zuul/parameters.ts";
import { connectGearmanClient, type GearmanClient } from "../../../src/gearman/client/gearman-client.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { HELD_LABEL } from "../../support/cluster/kwok.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { openBenchCluster } from "../bench-cluster.ts";
import type { BenchWorld } from "../bench-world.ts";
import { containerNodeArgs, stagePublishedProgram, startPublishedOperator } from "../published-operator.ts";
import { renderZuulRequest } from "../zuul-request.ts";
import { clearJobs, type LoadRig } from "./scale-load.ts";
import { PLAYED_NODE_SELECTOR, startPlayedNodes } from "./scale-nodes.ts";
import { WATCHED_NODE_ARGS, type WatchedOperator, watchOperator } from "./scale-operator.ts";
import { type ProcessorTimes, readProcessorTimes } from "./scale-processes.ts";

const INSTALLATION = "bench";
const GEARMAN_CONNECTIONS = 4;
/** On no node: kwok runs nothing. */
const IMAGE = "example.invalid/test:1";
const CLEAR_LIMIT_MS = 300_000;

interface ScaleRigOptions {
  /** Name of a local cluster. */
  cluster: string;
  maxBuilds: number;
  cpuProfile?: string;
}

/** Everything that runs: the cluster with the nodes that kwok plays, gearmand, the published operator. */
export interface ScaleRig extends AsyncDisposable {
  readonly load: LoadRig;
  readonly operator: WatchedOperator;
  /** The pod template that the operator gives to a build, for the bare Jobs. */
  readonly template: PodTemplate;
  processorTimes(): Promise<ProcessorTimes>;
  /** Resolves when nothing is left of what ran: the operator has recorded every build, and no Job and no pod is there. */
  settle(): Promise<void>;
}

export async function openScaleRig({ cluster: name, maxBuilds, cpuProfile }: ScaleRigOptions, world: BenchWorld): Promise<ScaleRig> {
  const { signal } = world;
  await using stack = new AsyncDisposableStack();
  const program = stack.use(await stagePublishedProgram());
  const { client, namespace, operatorArgs, ...cluster } = stack.use(await openBenchCluster({ cluster: name, image: IMAGE }, world));
  const nodes = stack.use(await startPlayedNodes({ client, clusterArgs: operatorArgs, world }));
  await cluster.applyTestTask("bench", taskSpec());
  await cluster.applyTestTask("held", taskSpec({ [HELD_LABEL]: "true" }));
  const server = stack.use(await startGearmand());
  signal.throwIfAborted();
  const gearmen: GearmanClient[] = [];
  for (let index = 0; index < GEARMAN_CONNECTIONS; index++) {
    gearmen.push(stack.use(await connectGearmanClient({ server: server.address, clock: systemClock })));
  }
  const load: LoadRig = { client, namespace, gearmen };
  // The API server takes minutes to get rid of a namespace full of Jobs.
  stack.defer(() => clearJobs(load, AbortSignal.timeout(CLEAR_LIMIT_MS)));
  const published = stack.use(
    await startPublishedOperator({
      program,
      config: { installation: INSTALLATION, namespaces: [namespace], gearman: { servers: [server.address] }, maxBuilds },
      clusterArgs: operatorArgs,
      nodeArgs: [
        ...containerNodeArgs(),
        ...WATCHED_NODE_ARGS,
        ...(cpuProfile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${cpuProfile}`]),
      ],
      signal,
    }),
  );
  const operator = await watchOperator(published);
  const processes = { kwok: nodes.pid, gearmand: server.pid, operator: published.child.pid, bench: process.pid };
  const owned = stack.move();
  return {
    load,
    operator,
    template: renderTemplate(namespace),
    processorTimes: () => readProcessorTimes(clusterPaths(name).bin, processes),
    async settle() {
      await operator.untilIdle(signal);
      await clearJobs(load, signal);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function taskSpec(labels: Record<string, string> = {}): TestTaskSpecAsWritten {
  const test = { name: "test", image: IMAGE, command: ["true"] };
  return { template: { metadata: { labels }, spec: { nodeSelector: PLAYED_NODE_SELECTOR, containers: [test] } } };
}

function renderTemplate(namespace: string): PodTemplate {
  const metadata = { name: "bench", namespace };
  const parsed = parseTestTask({ apiVersion: TEST_TASK_API_VERSION, kind: TEST_TASK_KIND, metadata, spec: taskSpec() });
  const unique = "0".repeat(32);
  const read = parseParameters(Buffer.from(renderZuulRequest(unique, "bench")));
  if (!parsed.ok || !read.ok) throw new Error("the bench's own TestTask or request is not valid");
  const request = {
    server: "",
    unique,
    number: `bench-${"0".repeat(16)}`,
    logPath: null,
    payloadHash: null,
    handle: null,
    replica: "",
    since: "",
  };
  const settings = { installation: INSTALLATION, image: IMAGE, internalUrl: "http://operator:8081", checkout: { allowedUrls: [] } };
  const input = { task: parsed.task, function: readBuildFunction("build:bench"), parameters: read.parameters, request, settings };
  return renderJob(input).spec?.template as PodTemplate;
}
