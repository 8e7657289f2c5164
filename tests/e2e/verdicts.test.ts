import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { RuleId } from "../../src/core/verdict/rules.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import type { Child } from "../support/child-process.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { findTestKubelet, type TestKubelet } from "../support/cluster/test-kubelet.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulBuildSpec, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("verdicts");

/** A row of the table, produced on the real kubelet and judged by Zuul's launcher. */
interface Row {
  /** Name of the TestTask and of Zuul's job. */
  name: string;
  how: string;
  rule: RuleId | readonly RuleId[];
  /** What Zuul gets; null: none, it runs the build again. */
  result: string | RegExp | null;
  spec: object;
  namespace?: string;
  zuul?: Partial<ZuulBuildSpec>;
  /** What happens to it; by default nothing. */
  disturb?: (build: ZuulBuild, number: string) => Promise<unknown>;
}

/** What came of it, for the table at the end. */
interface Outcome {
  row: Row;
  rule: string;
  result: string | null;
  seconds: number;
}

const FILL_DISK = "dd if=/dev/zero of=/tmp/fill bs=1M count=60 2>/dev/null";
const EAT_MEMORY = "dd if=/dev/zero of=/dev/null bs=300M";
const WAIT = "sleep 600 & wait";
const SMALL_DISK = { limits: { "ephemeral-storage": "20Mi" } };
const SMALL_MEMORY = { limits: { memory: "40Mi" } };
/** Answers like a registry that has no image, but `foreign`, for a platform that no node here is of. */
const EMPTY_REGISTRY = `
  const digest = (text) => "sha256:" + require("node:crypto").createHash("sha256").update(text).digest("hex");
  const type = "application/vnd.docker.distribution.manifest.list.v2+json";
  const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
  const manifests = [{ mediaType, size: 1, digest: digest("a"), platform: { architecture: "s390x", os: "linux" } }];
  const list = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests });
  const foreign = [200, { "content-type": type, "content-length": list.length, "docker-content-digest": digest(list) }, list];
  const unknown = [404, { "content-type": "application/json" }, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'];
  require("node:http").createServer((request, response) => {
    const [, , repository] = request.url.split("/");
    const [status, headers, body] = repository === "" ? [200, {}, "{}"] : repository === "foreign" ? foreign : unknown;
    response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
  }).listen(0, "127.0.0.1", function () { console.log(this.address().port); });
`;

let server: GearmanServer;
let operator: OperatorProcess;
let zuul: ZuulLauncher;
let kubelet: TestKubelet;
let registry: Child;
const outcomes: Outcome[] = [];
const namespaces = { strict: "", narrow: "", gone: "" };
/** What the rows need to know of the cluster; the tests' names are asked for before there is one. */
interface Place {
  image: string;
  node: string;
  registryPort: string;
  namespaces: typeof namespaces;
}
const place: Place = { image: "", node: "", registryPort: "", namespaces };

async function setUp(): Promise<void> {
  kubelet = findTestKubelet(context.cluster.name);
  for (const name of Object.keys(namespaces) as (keyof typeof namespaces)[]) {
    namespaces[name] = `${context.namespace}-${name}`;
    await context.kubectl("create", "namespace", namespaces[name]);
  }
  await context.kubectl("label", "namespace", namespaces.strict, "pod-security.kubernetes.io/enforce=restricted");
  const memory = { max: { memory: "2Gi" }, default: { memory: "256Mi" }, defaultRequest: { memory: "16Mi" } };
  await context.applyTo(
    namespaces.narrow,
    { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "small" }, spec: { hard: { pods: "1", "requests.memory": "1Gi" } } },
    { apiVersion: "v1", kind: "LimitRange", metadata: { name: "largest" }, spec: { limits: [{ type: "Container", ...memory }] } },
  );
  const port = Promise.withResolvers<string>();
  registry = await kubelet.startBeside(process.execPath, ["-e", EMPTY_REGISTRY], port.resolve);
  Object.assign(place, { image: context.image, node: context.cluster.name, registryPort: await port.promise });
  server = await startGearmand();
  operator = await startOperator({
    kubeconfig: context.cluster.kubeconfig,
    config: {
      installation: "verdicts",
      namespaces: [context.namespace, ...Object.values(namespaces)],
      image: context.image,
      gearman: { servers: [server.address] },
    },
  });
  zuul = await startZuulLauncher({ server: server.address });
}

async function tearDown(): Promise<void> {
  await zuul?.stop();
  await operator?.stop();
  await server?.stop();
  await registry?.stop();
  await context.kubectl("delete", "priorityclass", `${context.namespace}-high`, "--ignore-not-found");
  for (const namespace of Object.values(namespaces)) {
    if (namespace !== "") await context.kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found");
  }
  const cells = outcomes.map(({ row, rule, result, seconds }) => [rule, row.how, result ?? "none", `${seconds.toFixed(0)} s`]);
  const widths = [0, 1, 2].map((index) => Math.max(...cells.map((cell) => cell[index]?.length ?? 0)));
  for (const cell of cells) console.log(cell.map((text, index) => text.padEnd(widths[index] ?? 0)).join("  "));
}

/** Applies their TestTasks; resolves when each is registered, so that Zuul finds them. */
async function applyTasks(...rows: Row[]): Promise<void> {
  const byNamespace = Map.groupBy(rows, ({ namespace = context.namespace }) => namespace);
  for (const [namespace, members] of byNamespace) {
    const tasks = members.map(({ name, spec }) => ({
      apiVersion: "turbo-hipster.io/v1alpha1",
      kind: "TestTask",
      metadata: { name },
      spec: { image: context.image, ...spec },
    }));
    await context.applyTo(namespace, ...tasks);
    const names = members.map(({ name }) => `testtask/${name}`);
    await context.kubectl("--namespace", namespace, "wait", ...names, "--for=condition=Registered", "--timeout=60s");
  }
}

/** Starts the build, lets happen to it what should, and checks what Zuul and the operator made of it. */
async function judge(row: Row): Promise<string> {
  const startedAt = performance.now();
  const build = zuul.launch({ job: row.name, attempts: 1, ...row.zuul });
  const number = String((await build.started).number);
  await row.disturb?.(build, number);
  const completed = await build.completed;
  const judged = await operator.logged("judged the build", (line) => line.build === number);
  const rule = String(judged.rule);
  const retried = build.events.some((event) => event.event === "ended" && event.retry);
  const result = retried ? null : completed.result === "CANCELED" ? String(judged.result) : completed.result;
  outcomes.push({ row, rule, result, seconds: (performance.now() - startedAt) / 1000 });
  assert.ok([row.rule].flat().includes(rule as RuleId), `${rule}: ${judged.text}, ${completed.result}`);
  if (row.result instanceof RegExp) assert.match(result ?? "none", row.result);
  else assert.equal(result, row.result);
  if (row.result === null) assert.equal(completed.result, "RETRY_LIMIT", "Zuul would run it again");
  return number;
}

const runs = (build: ZuulBuild) => build.waitFor("update", ({ numerator }) => numerator === "4");
const inNamespace = (...args: string[]) => context.kubectl("--namespace", context.namespace, ...args);
const podOf = async (number: string) =>
  (await inNamespace("get", "pods", "-l", `job-name=${number}`, "-o", "jsonpath={.items[*].metadata.name}")).trim();
const patch = (kind: string, name: string, spec: object) =>
  inNamespace("patch", kind, name, "--type", "merge", "-p", JSON.stringify({ spec }));
/** Once it runs. */
const onceRunning = (act: (number: string) => Promise<unknown>) => async (build: ZuulBuild, number: string) => {
  await runs(build);
  await act(number);
};
const setDeadline = (seconds: number) =>
  onceRunning(async (number) => patch("pod", await podOf(number), { activeDeadlineSeconds: seconds }));

/** All at once: each has a pod of its own and nothing of the node. */
function rows({ image, node, registryPort, namespaces }: Place): Row[] {
  const test = { name: "test" };
  const template = (spec: object) => ({ template: { spec: { containers: [test], ...spec } } });
  const service = (script: string, more: object = {}) => ({
    services: [{ name: "db", image, command: ["/bin/sh", "-c", script], ...more }],
  });
  const init = (command: string[], more: object = {}) => template({ initContainers: [{ name: "setup", image, command, ...more }] });
  const missing = { valueFrom: { secretKeyRef: { name: "nowhere", key: "password" } } };
  return [
    { name: "passes", how: "exit 0", rule: "exit-0", result: "SUCCESS", spec: { script: "exit 0" } },
    { name: "fails", how: "exit 3", rule: "exit-code", result: "FAILURE", spec: { script: "exit 3" } },
    {
      name: "says-why",
      how: "exit 1 with a sentence",
      rule: "exit-code",
      result: "3 of 12 tests failed",
      spec: { script: "echo 3 of 12 tests failed > $TH_RESULT_FILE; exit 1" },
    },
    {
      name: "kills-itself",
      how: "kill -9 of itself",
      rule: "exit-code",
      result: "FAILURE",
      spec: { script: "sh -c 'kill -9 $$'" },
    },
    {
      name: "not-alive",
      how: "a livenessProbe that fails",
      rule: "exit-code",
      result: "FAILURE",
      spec: template({
        containers: [
          {
            name: "test",
            image,
            command: ["/bin/sh", "-c", "sleep 600"],
            livenessProbe: { exec: { command: ["false"] }, failureThreshold: 1, periodSeconds: 1 },
          },
        ],
        terminationGracePeriodSeconds: 1,
      }),
    },
    {
      name: "too-slow",
      how: "timeouts.run 2s; the test exits 0 on TERM",
      rule: "run-timeout",
      result: "TIMED_OUT",
      spec: { script: `trap 'exit 0' TERM; ${WAIT}`, timeouts: { run: "2s" } },
    },
    {
      name: "is-stopped",
      how: "Zuul's stop; the test exits 0 on TERM",
      rule: "stopped",
      result: "ABORTED",
      spec: { script: `trap 'exit 0' TERM; ${WAIT}` },
      disturb: async (build) => {
        await runs(build);
        await build.cancel();
        await build.waitFor("answered");
      },
    },
    {
      name: "memory",
      how: "memory limit 40Mi",
      rule: "out-of-memory",
      result: "FAILURE - out of memory (limit 40Mi)",
      spec: { script: EAT_MEMORY, resources: SMALL_MEMORY },
    },
    {
      name: "memory-init",
      how: "an init container's memory limit",
      rule: "out-of-memory",
      result: "FAILURE - setup out of memory (limit 40Mi)",
      spec: { script: "exit 0", ...init(["/bin/sh", "-c", EAT_MEMORY], { resources: SMALL_MEMORY }) },
    },
    {
      name: "memory-service",
      how: "a service's memory limit; the test fails",
      rule: "out-of-memory",
      result: "FAILURE - db out of memory (limit 40Mi)",
      spec: { script: "sleep 5; exit 1", ...service(`sleep 1; ${EAT_MEMORY}`, { resources: SMALL_MEMORY }) },
    },
    {
      name: "service-ends",
      how: "a service ends; the test fails",
      rule: "service-failed",
      result: "FAILURE - service db - exit code 7",
      spec: { script: "sleep 5; exit 1", ...service("sleep 1; exit 7") },
    },
    {
      name: "service-unready",
      how: "a service that is never ready, timeouts.pull 40s",
      rule: "service-not-ready",
      result: /^CONFIG_ERROR - service db does not get ready - /,
      spec: {
        script: "exit 0",
        timeouts: { pull: "40s" },
        ...service("exec sleep 600", { ready: { exec: { command: ["false"] }, periodSeconds: 1, failureThreshold: 1 } }),
      },
    },
    {
      name: "init-fails",
      how: "an init container's exit code",
      rule: "init-failed",
      result: "FAILURE - init container setup - exit code 3",
      spec: { script: "exit 0", ...init(["/bin/sh", "-c", "exit 3"]) },
    },
    {
      name: "no-command",
      how: "a command that is not in the image",
      rule: "not-runnable",
      result: /^CONFIG_ERROR - cannot start test - exec - nope - executable file not found/,
      spec: template({ containers: [{ name: "test", image, command: ["nope"] }] }),
    },
    {
      name: "bad-image",
      how: "an image name that is none",
      rule: "invalid-image-name",
      result: /^CONFIG_ERROR - invalid image name/,
      spec: { image: "Not/An:Image:Name", script: "exit 0" },
    },
    {
      name: "no-image",
      how: "a registry that has no such image",
      rule: "image-not-found",
      result: /^CONFIG_ERROR - image not found - unit tag 3 at localhost port \d+$/,
      spec: { image: `localhost:${registryPort}/unit:3`, script: "exit 0" },
    },
    {
      name: "foreign-image",
      how: "an image for another platform",
      rule: "image-platform",
      result: /^CONFIG_ERROR - foreign tag 3 at localhost port \d+ has nothing for the platform of this node$/,
      spec: { image: `localhost:${registryPort}/foreign:3`, script: "exit 0" },
    },
    {
      name: "memory-start",
      how: "a memory limit that is too low to begin with",
      rule: "not-runnable",
      result: "CONFIG_ERROR - cannot start the pod - memory limit 1Mi is too low",
      spec: { script: "exit 0", resources: { limits: { memory: "1Mi" } } },
    },
    {
      name: "no-registry",
      how: "a registry that refuses connections, timeouts.pull 8s",
      rule: "pull-timeout",
      result: null,
      spec: { image: "localhost:1/unit:3", script: "exit 0", timeouts: { pull: "8s" } },
    },
    {
      name: "no-secret",
      how: "env from a missing Secret",
      rule: "container-config",
      result: "CONFIG_ERROR - secret nowhere not found",
      spec: { script: "exit 0", env: [{ name: "PASSWORD", ...missing }] },
    },
    {
      name: "no-config-map",
      how: "a volume of a missing ConfigMap",
      rule: "volume-not-found",
      result: "CONFIG_ERROR - configmap nowhere not found",
      spec: {
        script: "exit 0",
        ...template({
          containers: [{ ...test, volumeMounts: [{ name: "c", mountPath: "/c" }] }],
          volumes: [{ name: "c", configMap: { name: "nowhere" } }],
        }),
      },
    },
    {
      name: "no-claim",
      how: "a missing PersistentVolumeClaim",
      rule: "volume-not-found",
      result: "CONFIG_ERROR - persistentvolumeclaim nowhere not found",
      spec: { script: "exit 0", ...template({ volumes: [{ name: "c", persistentVolumeClaim: { claimName: "nowhere" } }] }) },
    },
    {
      name: "root",
      how: "runAsUser 0 under Pod Security restricted",
      rule: "pod-refused",
      result: /^CONFIG_ERROR - violates PodSecurity restricted-latest/,
      namespace: namespaces.strict,
      spec: { script: "exit 0", securityContext: { runAsUser: 0 } },
    },
    {
      name: "limit-range",
      how: "more memory than the LimitRange allows",
      rule: "pod-refused",
      result: "CONFIG_ERROR - maximum memory usage per Container is 2Gi, but limit is 3Gi",
      namespace: namespaces.narrow,
      spec: { script: "exit 0", resources: { requests: { memory: "16Mi" }, limits: { memory: "3Gi" } } },
    },
    {
      name: "quota-too-small",
      how: "more memory than the quota has",
      rule: "pod-refused",
      result: /^CONFIG_ERROR - more than quota small allows - /,
      namespace: namespaces.narrow,
      spec: { script: "exit 0", resources: { requests: { memory: "1500Mi" }, limits: { memory: "1500Mi" } } },
    },
    {
      name: "disk-pod",
      how: "ephemeral-storage limit 20Mi; the test exits 1 on TERM",
      rule: "out-of-disk",
      result: "FAILURE - out of disk (limit 20Mi)",
      spec: { script: `trap 'exit 1' TERM; ${FILL_DISK}; ${WAIT}`, resources: SMALL_DISK },
    },
    {
      name: "disk-pod-exit-0",
      how: "the same; the test exits 0 on TERM",
      rule: "out-of-disk",
      result: "FAILURE - out of disk (limit 20Mi)",
      spec: { script: `trap 'exit 0' TERM; ${FILL_DISK}; ${WAIT}`, resources: SMALL_DISK },
    },
    {
      name: "disk-volume",
      how: "emptyDir sizeLimit 20Mi",
      rule: "out-of-disk",
      result: "FAILURE - out of disk (limit 20Mi)",
      spec: {
        script: `dd if=/dev/zero of=/data/fill bs=1M count=60; ${WAIT}`,
        ...template({
          containers: [{ ...test, volumeMounts: [{ name: "data", mountPath: "/data" }] }],
          volumes: [{ name: "data", emptyDir: { sizeLimit: "20Mi" } }],
        }),
      },
    },
    {
      name: "pod-deleted",
      how: "kubectl delete pod",
      rule: "pod-deleted",
      result: null,
      spec: { script: WAIT },
      disturb: onceRunning(async (number) => inNamespace("delete", "pod", await podOf(number), "--wait=false")),
    },
    {
      name: "job-deleted",
      how: "kubectl delete job",
      rule: "job-deleted",
      result: null,
      spec: { script: WAIT },
      disturb: onceRunning((number) => inNamespace("delete", "job", number, "--wait=false")),
    },
    {
      name: "namespace-deleted",
      how: "kubectl delete namespace",
      rule: ["job-deleted", "pod-deleted"],
      result: null,
      namespace: namespaces.gone,
      spec: { script: WAIT },
      disturb: onceRunning(() => context.kubectl("delete", "namespace", namespaces.gone, "--wait=false")),
    },
    {
      name: "suspended-job",
      how: "spec.suspend of the Job while it runs (as Kueue does)",
      rule: "job-suspended",
      result: null,
      spec: { script: `trap 'exit 0' TERM; ${WAIT}` },
      disturb: onceRunning((number) => patch("job", number, { suspend: true })),
    },
    {
      name: "backstop",
      how: "the pod's deadline passes; the test exits 0 on TERM",
      rule: "pod-deadline",
      result: null,
      spec: { script: `trap 'exit 0' TERM; ${WAIT}` },
      disturb: setDeadline(2),
    },
    {
      name: "ended-early",
      how: "somebody lowers the pod's deadline to 1",
      rule: "ended-early",
      result: null,
      spec: { script: `trap 'exit 0' TERM; ${WAIT}` },
      disturb: setDeadline(1),
    },
    {
      name: "nowhere",
      how: "no node fits, timeouts.schedule 3s",
      rule: "schedule-timeout",
      result: null,
      spec: { script: "exit 0", timeouts: { schedule: "3s" }, ...template({ nodeSelector: { nowhere: "yes" } }) },
    },
    {
      name: "gated",
      how: "a scheduling gate, taken away while it waits",
      rule: "exit-0",
      result: "SUCCESS",
      spec: { script: "exit 0", ...template({ schedulingGates: [{ name: "example.org/gate" }] }) },
      disturb: async (build, number) => {
        await build.waitFor("update", ({ numerator }) => numerator === "1");
        await waitUntil("the pod behind the gate", 30_000, async () => (await podOf(number)) !== "");
        await patch("pod", await podOf(number), { schedulingGates: null });
      },
    },
    {
      name: "node-full",
      how: "nodeName and more cpu than the node has",
      rule: "node-refused",
      result: null,
      spec: { script: "exit 0", resources: { requests: { cpu: "500" } }, ...template({ nodeName: node }) },
    },
    {
      name: "sysctl",
      how: "a sysctl that the kubelet forbids",
      rule: "node-unfit",
      result: /^CONFIG_ERROR - the node refuses the pod - forbidden sysctl/,
      spec: { script: "exit 0", ...template({ securityContext: { sysctls: [{ name: "net.core.somaxconn", value: "1024" }] } }) },
    },
    {
      name: "checkout-url",
      how: "a ZUUL_URL that is none",
      rule: "checkout-configuration",
      result: /^CONFIG_ERROR - ZUUL_URL /,
      spec: { script: "exit 0", checkout: {} },
      zuul: { url: "ftp://example.org/p" },
    },
    {
      name: "checkout-network",
      how: "a git server that refuses connections",
      rule: "checkout-failed",
      result: null,
      spec: { script: "exit 0", checkout: {} },
      zuul: { url: "http://127.0.0.1:1/p" },
    },
  ];
}

const NARROW = { resources: { requests: { memory: "16Mi" }, limits: { memory: "64Mi" } } };
const QUOTA_HOLDER: Row = { name: "quota-holder", how: "", rule: "stopped", result: "ABORTED", spec: { script: WAIT, ...NARROW } };
const QUOTA_WAITER: Row = {
  name: "quota-waiter",
  how: "a full quota, then room",
  rule: "exit-0",
  result: "SUCCESS",
  spec: { script: "exit 0", ...NARROW },
};

/** One build takes all of the quota until another is known to wait for it. */
async function judgeAtFullQuota(): Promise<void> {
  const held = zuul.launch({ job: QUOTA_HOLDER.name });
  await runs(held);
  await judge({
    ...QUOTA_WAITER,
    disturb: async (_, number) => {
      await operator.logged("build waits for what may not come", ({ build, rule }) => build === number && rule === "quota-full");
      await held.cancel();
    },
  });
}

/** So much cpu that the node has it once. */
async function moreThanHalf(): Promise<string> {
  const node = JSON.parse(await context.kubectl("get", "node", context.cluster.name, "-o", "json"));
  return `${Math.floor(Number(node.status.allocatable.cpu) * 600)}m`;
}

const SECOND_NODE = "second";

/**
 * Where no node at all is left, the node controller takes the fault for its own and deletes no pods. This one sends its heartbeats, and
 * takes no pods; call what is returned to take it away.
 */
async function keepSecondNode(): Promise<() => Promise<void>> {
  const ready = { type: "Ready", status: "True", reason: "Played", message: "", lastHeartbeatTime: new Date().toISOString() };
  const lease = () => ({
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: SECOND_NODE },
    spec: { holderIdentity: SECOND_NODE, leaseDurationSeconds: 40, renewTime: new Date().toISOString().replace("Z", "000Z") },
  });
  const node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: SECOND_NODE },
    spec: { unschedulable: true },
    status: { conditions: [ready] },
  };
  await context.applyTo("kube-node-lease", node, lease());
  let beating: Promise<unknown> = Promise.resolve();
  const heartbeat = setInterval(() => {
    beating = context.applyTo("kube-node-lease", lease()).catch((error) => console.error(error));
  }, 10_000);
  return async () => {
    clearInterval(heartbeat);
    await beating;
    await context.kubectl("delete", "node", SECOND_NODE);
    await context.kubectl("--namespace", "kube-node-lease", "delete", "lease", SECOND_NODE, "--ignore-not-found");
  };
}

const taints = () => context.kubectl("get", "node", context.cluster.name, "-o", "jsonpath={.spec.taints[*].key}");

async function hadOnePod(number: string): Promise<void> {
  const selector = `involvedObject.name=${number},reason=SuccessfulCreate`;
  const events = JSON.parse(await inNamespace("get", "events", "--field-selector", selector, "-o", "json"));
  const made = (events.items as { count?: number }[]).reduce((sum, { count = 1 }) => sum + count, 0);
  assert.equal(made, 1, "it has had exactly one pod");
}

describe("the verdict of a build", () => {
  before(setUp);
  after(tearDown);

  describe("on a real kubelet, at once", () => {
    const running = new Map<string, Promise<string>>();
    let quota: Promise<unknown> = Promise.resolve();

    before(async () => {
      const all = rows(place);
      await applyTasks(...all, ...[QUOTA_HOLDER, QUOTA_WAITER].map((row) => ({ ...row, namespace: namespaces.narrow })));
      quota = judgeAtFullQuota();
      quota.catch(() => {});
      for (const row of all) {
        const judged = judge(row);
        judged.catch(() => {}); // its test tells
        running.set(row.name, judged);
      }
    });

    for (const { name, how } of rows(place)) {
      test(how, async () => {
        const number = await (running.get(name) as Promise<string>);
        const job = await inNamespace(
          "get",
          "job",
          number,
          "--ignore-not-found",
          "-o",
          "jsonpath={.metadata.annotations.turbo-hipster\\.io/verdict}",
        );
        if (name === "suspended-job") assert.equal(job, "", "it would run a second time");
      });
    }

    test("a full quota waits until there is room", async () => {
      await quota;
    });
  });

  describe("on a real kubelet, one after another", () => {
    const sequence = { drained: {} as Row, preempted: {} as Row, evicted: {} as Row, lost: {} as Row };
    let restoreKubelet: (() => Promise<void>) | undefined;
    let removeSecondNode: (() => Promise<void>) | undefined;

    // All at once: Zuul asks for the functions no more often than every five seconds.
    before(async () => {
      const cpu = await moreThanHalf();
      const high = {
        priorityClassName: `${context.namespace}-high`,
        containers: [{ name: "a", image: context.image, command: ["sleep", "600"], resources: { requests: { cpu } } }],
      };
      const tolerations = ["not-ready", "unreachable"].map((state) => ({
        key: `node.kubernetes.io/${state}`,
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: 1,
      }));
      sequence.drained = {
        name: "drained",
        how: "kubectl drain; the test exits 0 on TERM",
        rule: "drained",
        result: null,
        spec: { script: `trap 'exit 0' TERM; ${WAIT}` },
        disturb: onceRunning(async (number) => {
          const selector = `--pod-selector=job-name=${number}`;
          await context.kubectl("drain", context.cluster.name, selector, "--force", "--delete-emptydir-data", "--ignore-daemonsets");
          await context.kubectl("uncordon", context.cluster.name);
        }),
      };
      sequence.preempted = {
        name: "preempted",
        how: "a pod of higher priority needs the node",
        rule: "preempted",
        result: null,
        spec: { script: WAIT, resources: { requests: { cpu } } },
        disturb: onceRunning(() =>
          context.apply(
            { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name: high.priorityClassName }, value: 1000 },
            { apiVersion: "v1", kind: "Pod", metadata: { name: "high" }, spec: high },
          ),
        ),
      };
      sequence.evicted = {
        name: "evicted",
        how: "evictionHard memory.available 99%; the test exits 1 on TERM",
        rule: "evicted",
        result: null,
        spec: { script: `trap 'exit 1' TERM; ${WAIT}` },
        disturb: onceRunning(async () => {
          restoreKubelet = await kubelet.reconfigure({
            evictionHard: { "memory.available": "99%" },
            evictionPressureTransitionPeriod: "1s",
          });
        }),
      };
      sequence.lost = {
        name: "node-lost",
        how: "the kubelet is suspended; tolerationSeconds 1",
        rule: "node-lost",
        result: null,
        spec: { script: WAIT, template: { spec: { containers: [{ name: "test" }], tolerations } } },
        disturb: onceRunning(async () => {
          removeSecondNode = await keepSecondNode();
          kubelet.suspend();
        }),
      };
      await applyTasks(...Object.values(sequence));
    });

    test("a drain", async () => {
      await hadOnePod(await judge(sequence.drained));
    });

    test("preemption by a pod of higher priority", async () => {
      await hadOnePod(await judge(sequence.preempted));
      await inNamespace("delete", "pod", "high", "--grace-period=1", "--wait=false");
    });

    test("eviction for the node's memory", async () => {
      try {
        await hadOnePod(await judge(sequence.evicted));
      } finally {
        await restoreKubelet?.();
      }
      await context.kubectl("wait", "node", context.cluster.name, "--for=condition=MemoryPressure=false", "--timeout=60s");
      await waitUntil("the taint of the full node to be gone", 60_000, async () => (await taints()) === "");
    });

    test("a node that is lost", async () => {
      try {
        await hadOnePod(await judge(sequence.lost));
      } finally {
        kubelet.resume();
        await removeSecondNode?.();
      }
      await waitUntil("the taint of the lost node to be gone", 60_000, async () => (await taints()) === "");
    });
  });
});
