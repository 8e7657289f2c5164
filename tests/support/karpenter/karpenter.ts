import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Child, startChild } from "../child-process.ts";
import { findFreePort } from "../free-port.ts";
import { karpenterProgram } from "./karpenter-program.ts";

const NODE_CLASS = { group: "karpenter.kwok.sh", kind: "KWOKNodeClass" };
const NODE_POOL = "karpenter.sh/nodepool";
/** Zone, as a machine must have one. */
const ZONE = "test-zone-a";
/** What a machine can be: processors and its price for an hour. */
const MACHINES = [
  { name: "small-2", cpu: 2, price: 0.1 },
  { name: "large-16", cpu: 16, price: 0.8 },
];

export interface KarpenterOptions {
  kubeconfig: string;
  kubectl(...args: string[]): Promise<string>;
}

/** A pool whose nodes only take the pods of builds that ask for it. */
export interface NodePool {
  /** What a task's `template.spec` needs for its builds to run there, and nowhere else. */
  readonly podSpec: object;
  /** Label selector of its nodes. */
  readonly selector: string;
}

/**
 * Starts Karpenter for a cluster in which it is not installed. Its machines have 2 or 16 processors; kwok must play their kubelets. Disposing of
 * it gives all machines back and takes its resources away: no pod may be left on them.
 */
export async function startKarpenter({ kubeconfig, kubectl }: KarpenterOptions) {
  await using stack = new AsyncDisposableStack();
  const { program, definitions } = await karpenterProgram();
  const directory = await mkdtemp(join(tmpdir(), "th-karpenter-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const apply = async (object: object) => {
    const file = join(directory, "object.json");
    await writeFile(file, JSON.stringify(object));
    await kubectl("apply", "--filename", file);
  };
  const filenames = definitions.flatMap((each) => ["--filename", each]);
  await kubectl("apply", "--server-side", ...filenames);
  stack.defer(async () => void (await kubectl("delete", "--ignore-not-found", "--timeout=60s", ...filenames)));
  await kubectl("wait", "--for=condition=Established", "--timeout=60s", ...filenames);
  const machines = join(directory, "machines.json");
  await writeFile(machines, JSON.stringify(MACHINES.map(renderMachine)));
  const karpenter = await startChild({
    command: program,
    args: [],
    env: {
      // What goes to the cluster must not be sent to a proxy that this machine may be told to use.
      ...{ NO_PROXY: "*", no_proxy: "*", KUBECONFIG: kubeconfig, INSTANCE_TYPES_FILE_PATH: machines },
      ...{ DISABLE_LEADER_ELECTION: "true", KARPENTER_SERVICE: "karpenter" },
      ...{ METRICS_PORT: String(await findFreePort()), HEALTH_PROBE_PORT: String(await findFreePort()) },
    },
  });
  stack.defer(async () => void (await karpenter.stop()));
  stack.defer(async () => void (await kubectl("delete", "nodepools.karpenter.sh", "--all", "--timeout=60s")));
  stack.defer(async () => void (await kubectl("delete", "nodeclaims.karpenter.sh", "--all", "--timeout=60s")));
  const owned = stack.move();
  return {
    child: karpenter as Child,
    /** A machine of it is a node of the cluster so many seconds after it was ordered. */
    async applyNodePool(name: string, delaySeconds: number): Promise<NodePool> {
      const taint = { key: "example.com/pool", value: name, effect: "NoSchedule" };
      await apply({
        ...{ apiVersion: `${NODE_CLASS.group}/v1alpha1`, kind: NODE_CLASS.kind, metadata: { name } },
        spec: { nodeRegistrationDelay: `${delaySeconds}s` },
      });
      await apply(renderNodePool(name, taint));
      await kubectl("wait", `nodepools.karpenter.sh/${name}`, "--for=condition=Ready", "--timeout=60s");
      const { effect, key, value } = taint;
      return {
        podSpec: { nodeSelector: { [NODE_POOL]: name }, tolerations: [{ key, operator: "Equal", value, effect }] },
        selector: `${NODE_POOL}=${name}`,
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** An empty node may go at once, and all of them together. */
function renderNodePool(name: string, taint: object): object {
  const requirements = [{ key: "karpenter.sh/capacity-type", operator: "In", values: ["on-demand"] }];
  return {
    apiVersion: "karpenter.sh/v1",
    kind: "NodePool",
    metadata: { name },
    spec: {
      template: { spec: { requirements, taints: [taint], nodeClassRef: { ...NODE_CLASS, name }, expireAfter: "Never" } },
      disruption: { consolidationPolicy: "WhenEmptyOrUnderutilized", consolidateAfter: "1s", budgets: [{ nodes: "100%" }] },
    },
  };
}

/** As https://github.com/kubernetes-sigs/karpenter/blob/v1.13.0/kwok/examples/instance_types.json has them. */
function renderMachine({ name, cpu, price }: (typeof MACHINES)[number]): object {
  const requirement = (key: string, value: string) => ({ key, operator: "In", values: [value] });
  return {
    name,
    offerings: [
      {
        Price: price,
        Available: true,
        Requirements: [requirement("karpenter.sh/capacity-type", "on-demand"), requirement("topology.kubernetes.io/zone", ZONE)],
      },
    ],
    architecture: "amd64",
    operatingSystems: ["linux"],
    resources: { cpu: String(cpu), memory: `${cpu * 4}Gi`, "ephemeral-storage": "100Gi", pods: "110" },
  };
}
