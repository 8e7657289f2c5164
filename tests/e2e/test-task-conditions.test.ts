import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";

const context = useTestCluster("conditions");

/** What `kubectl get` shows of a condition. */
interface Shown {
  status: string;
  reason: string;
  message: string;
}

describe("kubectl tells of a TestTask", () => {
  let server: GearmanServer;
  let operator: OperatorProcess;
  /** One with the restricted Pod Security Standard, one with a quota and a limit range. */
  let strict: string;
  let narrow: string;

  before(async () => {
    strict = `${context.namespace}-strict`;
    narrow = `${context.namespace}-narrow`;
    for (const name of [strict, narrow]) await context.makeNamespace(name);
    await context.kubectl("label", "namespace", strict, "pod-security.kubernetes.io/enforce=restricted");
    const memory = { limits: { memory: "1Gi" } };
    await context.applyTo(
      narrow,
      { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "builds" }, spec: { hard: { "limits.memory": "1Gi" } } },
      {
        apiVersion: "v1",
        kind: "LimitRange",
        metadata: { name: "largest" },
        spec: { limits: [{ type: "Container", max: { cpu: "2" }, default: { cpu: "1" } }] },
      },
      // Takes all of the quota, and no node.
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "takes-it-all" },
        spec: {
          nodeSelector: { nowhere: "yes" },
          containers: [{ name: "a", image: context.image, resources: { limits: { ...memory.limits, cpu: "1" } } }],
        },
      },
    );
    server = await startGearmand();
    operator = await startOperator({
      kubeconfig: context.cluster.kubeconfig,
      config: {
        installation: "conditions",
        namespaces: [context.namespace, strict, narrow],
        image: context.image,
        gearman: { servers: [server.address] },
      },
    });
  });

  after(async () => {
    await operator?.stop();
    await server?.stop();
    for (const name of [strict, narrow]) await context.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found");
  });

  async function applyTask(namespace: string, name: string, spec: object): Promise<void> {
    await context.applyTo(namespace, {
      apiVersion: "turbo-hipster.io/v1alpha1",
      kind: "TestTask",
      metadata: { name },
      spec: { image: context.image, ...spec },
    });
  }

  async function conditionOf(namespace: string, name: string, type: string, status: string, timeout = "30s"): Promise<Shown> {
    await context.kubectl(
      "wait",
      `testtask/${name}`,
      "--namespace",
      namespace,
      `--for=condition=${type}=${status}`,
      `--timeout=${timeout}`,
    );
    const task = JSON.parse(await context.kubectl("get", "testtask", name, "--namespace", namespace, "-o", "json"));
    return task.status.conditions.find((condition: { type: string }) => condition.type === type);
  }

  test("that all is well with it", async () => {
    await applyTask(context.namespace, "well", { nodeLabels: [{ name: "large", resources: { limits: { memory: "2Gi" } } }] });
    const { reason } = await conditionOf(context.namespace, "well", "TemplateValid", "True");
    assert.equal(reason, "Accepted");
    assert.equal((await conditionOf(context.namespace, "well", "Ready", "True")).message, "serves build:well, build:well:large");
    const description = await context.kubectl("describe", "tt", "well", "--namespace", context.namespace);
    assert.match(description, /Normal\s+Serving\s+\S+\s+turbo-hipster\s+serves build:well/);
  });

  const refused: [string, () => string, object, RegExp][] = [
    [
      "Pod Security",
      () => strict,
      { securityContext: { privileged: true } },
      /^the API server refuses its Pod: violates PodSecurity "restricted:latest": privileged \(container "test" must not set/,
    ],
    [
      "a PriorityClass that is not there",
      () => context.namespace,
      { priorityClassName: "missing" },
      /its Pod: no PriorityClass with name missing was found/,
    ],
    [
      "what the template names and has not",
      () => context.namespace,
      { template: { spec: { containers: [{ name: "test", volumeMounts: [{ name: "cache", mountPath: "/cache" }] }] } } },
      /its Job: spec\.template\.spec\.containers\[0\]\.volumeMounts\[0\]\.name: Not found: "cache"/,
    ],
    [
      "a LimitRange",
      () => narrow,
      { resources: { limits: { cpu: 4, memory: "1Gi" } } },
      /its Pod: maximum cpu usage per Container is 2, but limit is 4/,
    ],
    [
      "more than a quota could ever give",
      () => narrow,
      { resources: { limits: { memory: "2Gi" } } },
      /its Pod: exceeded quota: builds, requested: limits\.memory=2Gi/,
    ],
    ["a quota that wants limits", () => narrow, {}, /its Pod: failed quota: builds: must specify limits\.memory for: test/],
    [
      "a node label's pod",
      () => narrow,
      {
        resources: { limits: { memory: "100Mi" } },
        nodeLabels: [{ name: "large", resources: { limits: { memory: "64Gi" } } }],
      },
      /its Pod for node label large: exceeded quota/,
    ],
  ];
  for (const [name, namespace, spec, message] of refused) {
    test(`that the API server refuses it because of ${name}, in its own words`, async () => {
      const task = name
        .toLowerCase()
        .replaceAll(/[^a-z]+/g, "-")
        .slice(0, 40);
      await applyTask(namespace(), task, spec);
      const valid = await conditionOf(namespace(), task, "TemplateValid", "False");
      assert.equal(valid.reason, "TemplateRefused");
      assert.match(valid.message, message);
      const ready = await conditionOf(namespace(), task, "Ready", "False");
      assert.deepEqual([ready.reason, ready.message], ["TemplateRefused", valid.message]);
      const description = await context.kubectl("describe", "tt", task, "--namespace", namespace());
      assert.match(description, /Warning\s+TemplateRefused\s+\S+\s+turbo-hipster\s+the API server refuses its/);
    });
  }

  test("that its service account is not there, until it is", async () => {
    await applyTask(context.namespace, "later", { serviceAccountName: "comes-later" });
    const { message } = await conditionOf(context.namespace, "later", "TemplateValid", "False");
    assert.match(message, /its Pod: error looking up service account .*: serviceaccount "comes-later" not found/);
    await context.applyTo(context.namespace, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "comes-later" } });
    await conditionOf(context.namespace, "later", "TemplateValid", "True", "90s");
    await conditionOf(context.namespace, "later", "Ready", "True");
  });

  test("nothing bad because a quota is used up", async () => {
    await applyTask(narrow, "waits-for-room", { resources: { limits: { memory: "100Mi" } } });
    assert.equal((await conditionOf(narrow, "waits-for-room", "TemplateValid", "True")).reason, "Accepted");
  });

  test("the API server's warnings, for instance about a field that it does not know", async () => {
    await applyTask(context.namespace, "misspelt", { template: { spec: { volumez: [], containers: [{ name: "test" }] } } });
    const { reason, message } = await conditionOf(context.namespace, "misspelt", "TemplateValid", "True");
    assert.equal(reason, "AcceptedWithWarnings");
    assert.match(message, /unknown field "spec\.template\.spec\.volumez"/);
    const description = await context.kubectl("describe", "tt", "misspelt", "--namespace", context.namespace);
    assert.match(description, /Warning\s+TemplateWarnings/);
  });

  test("that an edit has changed what the API server thinks of it", async () => {
    await applyTask(context.namespace, "edited", {});
    await conditionOf(context.namespace, "edited", "TemplateValid", "True");
    await applyTask(context.namespace, "edited", { priorityClassName: "missing" });
    await conditionOf(context.namespace, "edited", "TemplateValid", "False");
    await applyTask(context.namespace, "edited", { script: "true" });
    await context.kubectl(
      "patch",
      "tt",
      "edited",
      "--namespace",
      context.namespace,
      "--type=merge",
      "-p",
      '{"spec":{"priorityClassName":null}}',
    );
    await conditionOf(context.namespace, "edited", "TemplateValid", "True");
    const description = await context.kubectl("describe", "tt", "edited", "--namespace", context.namespace);
    for (const reason of ["TemplateRefused", "Serving"]) assert.match(description, new RegExp(`${reason}\\s`));
  });

  test("that an older one of another namespace has its function, until that one is gone", async () => {
    // Of two that were made in the same second the first by name counts as the older, which is this one as well.
    await applyTask(strict, "older", { jobs: ["contested"] });
    await conditionOf(strict, "older", "Ready", "True");
    await applyTask(context.namespace, "younger", { jobs: ["contested", "own"] });
    const { reason, message } = await conditionOf(context.namespace, "younger", "Ready", "False");
    assert.equal(reason, "FunctionConflict");
    assert.match(message, new RegExp(`build:contested \\(held by the older TestTask ${strict}/older\\)`));
    assert.match(await context.kubectl("describe", "tt", "younger", "--namespace", context.namespace), /Warning\s+FunctionConflict/);
    await context.kubectl("delete", "tt", "older", "--namespace", strict);
    assert.equal((await conditionOf(context.namespace, "younger", "Ready", "True")).message, "serves build:contested, build:own");
  });

  test("that a pattern of its checks is none", async () => {
    await applyTask(context.namespace, "with-checks", { checks: [{ name: "no-traceback", pattern: { regex: "(Traceback" } }] });
    const { reason, message } = await conditionOf(context.namespace, "with-checks", "Ready", "False");
    assert.equal(reason, "ChecksRefused");
    assert.match(message, /^refuses all builds: spec\.checks\[0\]\.pattern\.regex is no regular expression/);
    await conditionOf(context.namespace, "with-checks", "TemplateValid", "True");
  });

  test("all that by writing nothing once it is said", async () => {
    const versions = async (): Promise<[string, string][]> => {
      const lists = [context.namespace, strict, narrow].map((name) => context.kubectl("get", "tt", "--namespace", name, "-o", "json"));
      const items = (await Promise.all(lists)).flatMap((list) => JSON.parse(list).items);
      return items.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]);
    };
    // A task that is made, and told of, after them: all before it has been written by then.
    const before = await versions();
    await applyTask(context.namespace, "last", {});
    await conditionOf(context.namespace, "last", "TemplateValid", "True");
    const after = new Map(await versions());
    const changed = before.filter(([uid, version]) => after.get(uid) !== version);
    assert.deepEqual(changed, []);
  });
});
