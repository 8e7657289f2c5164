import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { findNodeProgram, waitForCluster } from "../support/cluster/node-program.ts";
import { killNodePrograms, killShim, startNodePrograms, terminatePod } from "../support/cluster/node-reset.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("injected");
const FAILING = "sleep 8; echo 1 of 3 tests failed > $TH_RESULT_FILE; exit 1";

/** What tests give for an exit code that get TERM. */
const ON_TERM = [0, 1, 143];
/** What the test waits for behind it. */
const NEVER_READY = {
  ...{ name: "database", restartPolicy: "Always", command: ["sleep", "600"] },
  startupProbe: { exec: { command: ["false"] }, failureThreshold: 1000 },
};
/** No node that has gone down is back sooner. */
const DOWN_MS = 20_000;

let server: GearmanServer;
let operator: OperatorProcess;
let zuul: ZuulLauncher;

/** What adds a container to the pods with this label, as the webhook of a mesh does. */
function injector(name: string, mutation: object): object[] {
  const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }];
  const isOurs = `object.metadata.namespace == "${context.namespace}" && has(object.metadata.labels) && "mesh" in object.metadata.labels`;
  const apiVersion = "admissionregistration.k8s.io/v1";
  const policyName = `${context.namespace}-${name}`;
  return [
    {
      ...{ apiVersion, kind: "MutatingAdmissionPolicy", metadata: { name: policyName } },
      spec: {
        ...{ failurePolicy: "Fail", reinvocationPolicy: "Never", matchConstraints: { resourceRules: rules } },
        matchConditions: [{ name: "labelled", expression: `${isOurs} && object.metadata.labels["mesh"] == "${name}"` }],
        mutations: [mutation],
      },
    },
    { apiVersion, kind: "MutatingAdmissionPolicyBinding", metadata: { name: policyName }, spec: { policyName } },
  ];
}

/** Puts a container before all others. */
function first(container: string): object {
  const expression = `[JSONPatch{op: "add", path: "/spec/containers/0", value: Object.spec.containers${container}}]`;
  return { patchType: "JSONPatch", jsonPatch: { expression } };
}

/**
 * Adds an init container to the end. Seen with Kubernetes 1.36: ApplyConfiguration refuses `command`, an atomic list, and the API server
 * panics over a patch whose value is a list of objects, so that one comes into a list that is made empty.
 */
function init(container: string): object {
  const list = '(has(object.spec.initContainers) ? [] : [JSONPatch{op: "add", path: "/spec/initContainers", value: []}])';
  const expression = `${list} + [JSONPatch{op: "add", path: "/spec/initContainers/-", value: Object.spec.initContainers${container}}]`;
  return { patchType: "JSONPatch", jsonPatch: { expression } };
}

function runs(command: string): string {
  return `{name: "proxy", image: "${context.image}", command: ["/bin/sh", "-c", "${command}"]}`;
}

const inNamespace = (...args: string[]) => context.kubectl("--namespace", context.namespace, ...args);
const podOf = async (number: string, path: string) =>
  (await inNamespace("get", "pods", "-l", `job-name=${number}`, "-o", `jsonpath=${path}`)).trim();

/** Zuul's result, or "none", and the rule that the operator judged by. */
async function judged(build: ZuulBuild): Promise<{ result: string | null; rule: string; number: string }> {
  const number = String((await build.started).number);
  const completed = await build.completed;
  const { rule } = await operator.logged("judged the build", (line) => line.build === number);
  const isRetried = build.events.some((event) => event.event === "ended" && event.retry);
  return { result: isRetried ? "none" : completed.result, rule: String(rule), number };
}

/** Resolves once the pod of the build is over. */
const over = (number: string) =>
  waitUntil(`the end of the pod of ${number}`, 60_000, async () =>
    /Failed|Succeeded/.test(await podOf(number, "{.items[0].status.phase}")),
  );

async function setUp(): Promise<void> {
  await context.apply(
    ...injector("ends-first", first(runs("sleep 2"))),
    ...injector("runs-on", first(runs("sleep 600"))),
    ...injector("fails-first", init(runs("exit 126"))),
  );
  const late = { name: "recorder", image: "localhost:1/recorder:1", command: ["sleep", "86400"] };
  const meshed = (mesh: string) => ({ labels: { mesh }, script: FAILING, template: { spec: { containers: [{ name: "unit" }] } } });
  const specs: Record<string, object> = {
    "ends-first": meshed("ends-first"),
    "runs-on": meshed("runs-on"),
    "fails-first": { labels: { mesh: "fails-first" }, script: "exit 0" },
    late: { script: "exit 1", template: { spec: { containers: [{ name: "test" }, late] } } },
    reset: { script: "sleep 600" },
    "reset-before": {
      script: "exit 0",
      template: { spec: { containers: [{ name: "test" }], initContainers: [{ ...NEVER_READY, image: context.image }] } },
    },
    "shim-dies": { script: "echo 12 of 12 tests passed > $TH_RESULT_FILE; sleep 600" },
    "ends-with-255": { script: "exit 255" },
    "says-why": { script: "echo 3 of 12 tests failed > $TH_RESULT_FILE; exit 255" },
    ...Object.fromEntries(ON_TERM.map((code) => [`shutdown-${code}`, { script: `trap "exit ${code}" TERM; sleep 600 & wait` }])),
  };
  await context.apply(
    ...Object.entries(specs).map(([name, spec]) => ({
      ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name } },
      spec: { image: context.image, ...spec },
    })),
  );
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "probe", labels: { mesh: "ends-first" } } };
  await waitUntil("the injectors to be in force", 60_000, async () => {
    const spec = { schedulingGates: [{ name: "example.org/never" }], containers: [{ name: "a", image: context.image }] };
    await context.apply({ ...pod, spec });
    const isMutated = (await inNamespace("get", "pod", "probe", "-o", "jsonpath={.spec.containers[0].name}")) === "proxy";
    await inNamespace("delete", "pod", "probe", "--force", "--grace-period=0");
    return isMutated;
  });
  server = await startGearmand();
  operator = await startOperator({
    kubeconfig: context.cluster.kubeconfig,
    config: { installation: "injected", namespaces: [context.namespace], image: context.image, gearman: { servers: [server.address] } },
  });
  await inNamespace("wait", ...Object.keys(specs).map((name) => `testtask/${name}`), "--for=condition=Registered", "--timeout=60s");
  zuul = await startZuulLauncher({ server: server.address });
}

async function tearDown(): Promise<void> {
  await zuul?.stop();
  await operator?.stop();
  await server?.stop();
  for (const kind of ["mutatingadmissionpolicybinding", "mutatingadmissionpolicy"]) {
    for (const name of ["ends-first", "runs-on", "fails-first"])
      await context.kubectl("delete", kind, `${context.namespace}-${name}`, "--ignore-not-found");
  }
}

describe("on a real kubelet", () => {
  before(setUp);
  after(tearDown);

  describe("a pod that the cluster has added containers to", { concurrency: true }, () => {
    for (const job of ["ends-first", "runs-on"]) {
      test(`is judged by its test, and ended with it, though a proxy that ${job === "runs-on" ? "runs on" : "ends with 0"} stands before it`, async () => {
        const build = await judged(zuul.launch({ job, attempts: 1 }));
        assert.deepEqual([build.result, build.rule], ["1 of 3 tests failed", "exit-code"]);
        assert.match(await podOf(build.number, "{.items[0].spec.containers[*].name}"), /^proxy /, "the injector was not there");
        await over(build.number);
      });
    }

    test("has no result when one of them fails before its test", async () => {
      const build = await judged(zuul.launch({ job: "fails-first", attempts: 1 }));
      assert.deepEqual([build.result, build.rule], ["none", "injected-failed"]);
      assert.equal(await podOf(build.number, "{.items[0].status.initContainerStatuses[*].name}"), "proxy");
    });

    test("ends with its test, whatever is still to begin in it", async () => {
      const build = await judged(zuul.launch({ job: "late", attempts: 1 }));
      assert.equal(build.rule, "exit-code");
      await over(build.number);
      assert.equal(await podOf(build.number, "{.items[0].status.reason}"), "DeadlineExceeded");
    });
  });

  describe("an exit code that runtimes make up", { concurrency: true }, () => {
    test("is no result of a script whose container has lost its shim", async () => {
      const launched = zuul.launch({ job: "shim-dies", attempts: 1 });
      await launched.waitFor("update", ({ numerator }) => numerator === "4");
      killShim(await podOf(String((await launched.started).number), "{.items[0].metadata.uid}"));
      const build = await judged(launched);
      const { reason, exitCode } = JSON.parse(await podOf(build.number, "{.items[0].status.containerStatuses[0].state.terminated}"));
      assert.deepEqual([build.result, build.rule, reason], ["none", "cut-off", "Error"]);
      assert.match(`${exitCode}`, /^(137|255)$/);
    });

    for (const [job, result] of [
      ["ends-with-255", "FAILURE"],
      ["says-why", "3 of 12 tests failed"],
    ] as const) {
      test(`is one that a script ends with itself: ${result}`, async () => {
        const build = await judged(zuul.launch({ job, attempts: 1 }));
        assert.deepEqual([build.result, build.rule], [result, "exit-code"]);
      });
    }
  });

  describe("a node that shuts down under tests that give TERM an exit code, its kubelet gone before them", () => {
    test("makes no result of any exit code", async () => {
      const launched = ON_TERM.map((code) => zuul.launch({ job: `shutdown-${code}`, attempts: 1 }));
      const uids = await Promise.all(
        launched.map(async (build) => {
          await build.waitFor("update", ({ numerator }) => numerator === "4");
          return podOf(String((await build.started).number), "{.items[0].metadata.uid}");
        }),
      );
      const kubelet = findNodeProgram(context.cluster.name, "kubelet");
      await kubelet.kill();
      for (const uid of uids) terminatePod(uid);
      await new Promise((resolve) => setTimeout(resolve, DOWN_MS + 1000));
      await kubelet.start();
      await waitForCluster(context.cluster.name);
      const builds = await Promise.all(launched.map(judged));
      assert.deepEqual(
        builds.map(({ result, rule }) => [result, rule]),
        ON_TERM.map(() => ["none", "unwatched"]),
      );
      const codes = builds.map(({ number }) => podOf(number, "{.items[0].status.containerStatuses[0].state.terminated.exitCode}"));
      assert.deepEqual(await Promise.all(codes), ON_TERM.map(String));
    });
  });

  describe("a node that loses power", () => {
    test("makes no result of what its runtime says of a test that ran, nor a build wait for one that it does not begin again", async () => {
      const launched = zuul.launch({ job: "reset", attempts: 1 });
      const early = zuul.launch({ job: "reset-before", attempts: 1 });
      await launched.waitFor("update", ({ numerator }) => numerator === "4");
      const number = String((await early.started).number);
      await waitUntil("the service of the other one", 60_000, async () => {
        return (await podOf(number, "{.items[0].status.initContainerStatuses[0].state.running.startedAt}")) !== "";
      });
      await killNodePrograms(context.cluster.name);
      await startNodePrograms(context.cluster.name);
      await waitForCluster(context.cluster.name);
      const build = await judged(launched);
      assert.deepEqual([build.result, build.rule], ["none", "pod-lost"]);
      assert.match(
        await podOf(build.number, "{.items[0].status.containerStatuses[0].state.terminated.reason}"),
        /^(Unknown|ContainerStatusUnknown)$/,
      );
      const before = await judged(early);
      assert.deepEqual([before.result, before.rule], ["none", "sandbox-lost"]);
      await over(number);
    });
  });
});
