import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseConfig, servedPlaces } from "../../../src/config.ts";
import { neededRights, rightQuestions } from "../../../src/core/kubernetes/needed-rights.ts";
import type { Job } from "../../../src/core/kubernetes/objects.ts";
import type { KubeClient } from "../../../src/kube/client/kube-client.ts";
import { KubeError } from "../../../src/kube/client/kube-error.ts";
import { PODS, type Resource, renderRbacResource } from "../../../src/kube/client/resource.ts";
import { BuildObjects } from "../../../src/kube/objects/build-objects.ts";
import { FunctionNames } from "../../../src/kube/objects/function-names.ts";
import { LeaseObjects } from "../../../src/kube/objects/lease-objects.ts";
import { PodLogs } from "../../../src/kube/objects/pod-logs.ts";
import { SecretValues } from "../../../src/kube/objects/secret-values.ts";
import { TaskEventObjects } from "../../../src/kube/objects/task-event-objects.ts";
import { TemplateReviewer } from "../../../src/kube/objects/template-reviewer.ts";
import { TestTaskObjects } from "../../../src/kube/objects/test-task-objects.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { grantedRights } from "../../support/cluster/audited-rights.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { CHART, type ChartObject, configText, find, LEAST_VALUES, renderChart } from "./render-chart.ts";

const NAMESPACE = "ci";
/** With every namespace served, the chart wants to be told where policies are to be. */
const NO_POLICY = { networkPolicy: { builds: { enabled: false } } };
const JOB = { metadata: { name: "a-1", namespace: NAMESPACE }, spec: { template: { spec: { containers: [] } } } } as unknown as Job;

/** A client that does nothing but note `verb group/resource`, and the first watch that was opened for each resource. */
function makeRecordingClient(isMissing: () => boolean) {
  const calls = new Set<string>();
  const watching = new Map([
    ["jobs", Promise.withResolvers<void>()],
    ["pods", Promise.withResolvers<void>()],
    ["testtasks", Promise.withResolvers<void>()],
    ["events", Promise.withResolvers<void>()],
    ["leases", Promise.withResolvers<void>()],
  ]);
  const note = (verb: string, resource: Resource, subresource?: string) =>
    calls.add(`${verb} ${resource.group}/${renderRbacResource(resource, subresource)}`);
  const client = {
    async create(resource: Resource) {
      note("create", resource);
      return { metadata: {} };
    },
    async get(resource: Resource) {
      note("get", resource);
      return { metadata: {} };
    },
    async list(resource: Resource) {
      note("list", resource);
      return { items: [], metadata: { resourceVersion: "1" } };
    },
    now: () => new Date(),
    async mergePatch(resource: Resource, _namespace: string, _name: string, _patch: object, options?: { subresource?: string }) {
      note("patch", resource, options?.subresource);
      if (isMissing()) throw new KubeError("TH_KUBE_NOT_FOUND", "it is not there", { status: 404 });
      return { metadata: {} };
    },
    async jsonPatch(resource: Resource, _namespace: string, _name: string, _operations: object, options?: { subresource?: string }) {
      note("patch", resource, options?.subresource);
    },
    delete: async (resource: Resource) => note("delete", resource),
    async podLog() {
      note("get", PODS, "log");
      return (async function* () {})();
    },
    async *watch(resource: Resource, _namespace: string, { signal }: { signal: AbortSignal }) {
      note("watch", resource);
      watching.get(resource.plural)?.resolve();
      yield* [];
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    },
  };
  return { client: client as unknown as KubeClient, calls, watching: (plural: string) => watching.get(plural)?.promise };
}

/** Every method of the classes that reach the API server, called once. A new one must be added here, and to the chart if it asks for more. */
async function collectCalls(): Promise<Set<string>> {
  let isMissing = false;
  const { client, calls, watching } = makeRecordingClient(() => isMissing);
  const edges = { client, namespaces: [NAMESPACE], clock: systemClock, logger: silentLogger, onChange() {} };
  const builds = new BuildObjects({ ...edges, installation: "test" });
  const tasks = new TestTaskObjects(edges);
  const names = new FunctionNames({ client, namespace: NAMESPACE, installation: "test" });
  const reviewer = new TemplateReviewer({ client });
  const events = new TaskEventObjects({ client });
  const secrets = new SecretValues({ client });
  const logs = new PodLogs(client, { namespace: NAMESPACE, pod: "a-1-x", container: "test" });
  const leases = new LeaseObjects({ ...edges, namespace: NAMESPACE, installation: "test" });
  const called = new Set<string>();
  const call = async <T extends object>(target: T, name: keyof T & string, ...args: unknown[]) => {
    called.add(`${target.constructor.name}.${name}`);
    await (target[name] as (...args: unknown[]) => unknown)(...args);
  };

  await call(builds, "start");
  await call(tasks, "start");
  await call(leases, "start");
  await call(builds, "synced");
  await call(tasks, "synced");
  await Promise.all(["jobs", "pods", "testtasks", "events", "leases"].map(watching));
  for (const name of ["now", "lastHeardMsAgo", "lockedOutMs", "cachedJobs"] as const) await call(builds, name);
  for (const name of ["lastHeardMsAgo", "cachedTestTasks"] as const) await call(tasks, name);
  await call(builds, "refresh");
  await call(builds, "cachedJob", NAMESPACE, "a-1");
  await call(builds, "cachedPods", NAMESPACE, "a-1");
  await call(builds, "cachedJobsOf", "0123456789abcdef-request");
  await call(builds, "cachedLaunchesOf", "0123456789abcdef-request");
  await call(builds, "killOf", { metadata: { name: "a-1-x", uid: "u" } });
  await call(builds, "readEvents", NAMESPACE, "u");
  await call(builds, "createJob", JOB);
  await call(builds, "getJob", NAMESPACE, "a-1");
  await call(builds, "readPods", NAMESPACE, "a-1");
  await call(builds, "annotateJob", NAMESPACE, "a-1", {}, { ttlSecondsAfterFinished: 60 });
  await call(builds, "annotateJob", NAMESPACE, "a-1", {}, { request: "{}" });
  await call(builds, "deleteJob", NAMESPACE, "a-1");
  await call(builds, "endPod", NAMESPACE, "a-1-x");
  await call(builds, "readWholePods", NAMESPACE, "a-1");
  await call(builds, "deletePod", NAMESPACE, "a-1-x", "u");
  await call(secrets, "of", NAMESPACE, "a");
  const which = { previous: false, signal: new AbortController().signal };
  await call(logs, "open", { sinceTime: undefined, ...which });
  await call(logs, "head", 1, which);
  await call(logs, "tail", 1, which);
  for (const name of ["now", "isGone"] as const) await call(logs, name, undefined);
  await call(tasks, "writeStatus", NAMESPACE, "a", {}, new AbortController().signal);
  const { signal } = new AbortController();
  const lease = { metadata: { name: "test", resourceVersion: "1", uid: "u" } };
  for (const name of ["lastHeardMsAgo", "cachedAll"] as const) await call(leases, name);
  await call(leases, "onChange", () => {});
  await call(leases, "cached", "test");
  await call(leases, "get", "test", signal);
  await call(leases, "create", "test", {}, signal);
  await call(leases, "update", lease, {}, signal);
  await call(leases, "delete", lease, signal);
  const reviewed = [
    { kind: "Job", object: JOB, of: "" },
    { kind: "Pod", object: JOB, of: "" },
  ];
  await call(reviewer, "review", reviewed, signal);
  await call(events, "create", "e", { namespace: NAMESPACE, name: "a", uid: "u" }, {}, { count: 1 }, signal);
  await call(events, "repeat", NAMESPACE, "e", { count: 2 }, signal);
  await call(names, "now");
  await call(names, "load", new AbortController().signal);
  await call(names, "save", new Map(), new AbortController().signal);
  isMissing = true;
  await names.save(new Map(), new AbortController().signal);
  await call(builds, "stop");
  await call(tasks, "stop");
  await call(leases, "stop");

  const edgeClasses = [
    BuildObjects,
    TestTaskObjects,
    FunctionNames,
    TemplateReviewer,
    TaskEventObjects,
    LeaseObjects,
    SecretValues,
    PodLogs,
  ];
  const methods = edgeClasses.flatMap(({ name, prototype }) =>
    Object.entries(Object.getOwnPropertyDescriptors(prototype))
      .filter(([method, { value }]) => method !== "constructor" && typeof value === "function")
      .map(([method]) => `${name}.${method}`),
  );
  assert.deepEqual(called, new Set(methods), "every method is called here");
  return calls;
}

const grantedBy = ({ rules }: ChartObject) => grantedRights({ rules });

describe("the operator's rights", () => {
  test("are exactly what its Kubernetes edge asks for", async () => {
    const [role] = (await renderChart(LEAST_VALUES)).filter(({ kind }) => kind === "Role");
    assert.ok(role);
    assert.deepEqual(grantedBy(role), await collectCalls());
  });

  for (const places of [
    { namespaces: ["one", "two"] },
    { namespaces: ["one", "two"], ownNamespace: "two" },
    { namespaces: ["one", "two"], ownNamespace: "three" },
    { namespaces: ["*"] },
    { namespaces: ["*"], ownNamespace: "three" },
  ]) {
    test(`are those that doctor asks the API server for, with ${JSON.stringify(places)}`, async () => holdQuestions(places));
  }

  async function holdQuestions(places: { namespaces: string[]; ownNamespace?: string }): Promise<void> {
    for (const store of ["none", "files"]) {
      const logs = store === "files" ? { store, directory: "/logs" } : { store };
      const config = { ...LEAST_VALUES.config, ...places, installation: "here", logs };
      const objects = await renderChart({ config, ...NO_POLICY, rbac: { aggregate: false } });
      const { namespaces, own } = servedPlaces(parseConfig(configText(objects), "config.yaml"));
      const asked = rightQuestions(neededRights("here", store === "files"), { namespaces, own }).map(({ right, verb, namespace }) => {
        const resource = right.subresource === undefined ? right.resource : `${right.resource}/${right.subresource}`;
        return `${namespace ?? ""}: ${verb} ${right.group}/${resource} ${right.name ?? ""}`;
      });
      const roles = objects.filter(({ kind }) => kind === "Role" || kind === "ClusterRole");
      const granted = roles.flatMap(({ rules, metadata }) =>
        (rules as { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[]).flatMap((rule) =>
          rule.verbs.map((verb) => `${metadata.namespace ?? ""}: ${verb} ${rule.apiGroups}/${rule.resources} ${rule.resourceNames ?? ""}`),
        ),
      );
      assert.deepEqual(new Set(asked), new Set(granted), store);
      assert.equal(asked.length, granted.length, store);
    }
  }

  test("of every namespace are one ClusterRole's, of a name that no other release can have, and in the release's own a Role's", async () => {
    const config = { ...LEAST_VALUES.config, namespaces: ["*"] };
    const values = { config, ...NO_POLICY, serviceAccount: { name: "runner" }, rbac: { aggregate: false } };
    for (const release of ["one", "two"]) {
      const rbac = (await renderChart(values, { release, namespace: "operators" })).filter(({ apiVersion }) =>
        apiVersion.startsWith("rbac."),
      );
      const name = `${release}-turbo-hipster`;
      assert.deepEqual(
        new Set(rbac.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`)),
        new Set([
          "ClusterRole /turbo-hipster-everywhere",
          "ClusterRoleBinding /turbo-hipster-everywhere",
          `Role operators/${name}`,
          `RoleBinding operators/${name}`,
        ]),
      );
      for (const { subjects } of rbac.filter(({ kind }) => kind.endsWith("Binding")))
        assert.deepEqual(subjects, [{ kind: "ServiceAccount", name: "runner", namespace: "operators" }]);
      const own = new Set(
        rbac.filter(({ kind }) => kind === "Role").flatMap((role) => [...grantedBy(role)].map((right) => right.split(" ")[1])),
      );
      assert.deepEqual(own, new Set(["/configmaps", "coordination.k8s.io/leases"]));
    }
    const without = await renderChart({ ...values, rbac: { aggregate: false, secrets: false } });
    assert.ok(!grantedBy(find(without, "ClusterRole")).has("get /secrets"));
  });

  test("reach the objects of its own, Leases and names of functions, in the first namespace alone", async () => {
    const roles = (await renderChart({ config: { ...LEAST_VALUES.config, namespaces: ["one", "two"] } })).filter(
      ({ kind }) => kind === "Role",
    );
    const [first, second] = roles.map(grantedBy);
    assert.ok(first && second);
    assert.deepEqual(
      new Set([...first.difference(second)].map((right) => right.split(" ")[1])),
      new Set(["/configmaps", "coordination.k8s.io/leases"]),
    );
    assert.deepEqual(second.difference(first), new Set());
  });

  test("are told in the chart's README", async () => {
    const [role] = (await renderChart(LEAST_VALUES)).filter(({ kind }) => kind === "Role");
    assert.ok(role);
    const section = /^## What the operator may do$(.*?)^## /ms.exec(readFileSync(join(CHART, "README.md"), "utf8"))?.[1] ?? "";
    const told = section.matchAll(/^\| `([a-z0-9/.-]+)`.*? \| (.*) \|$/gm).flatMap(([, resource = "", verbs = ""]) => {
      const [plural = "", group = ""] = resource.split(/\.(.*)/);
      const [api = "", subresource] = group.split("/");
      const name = subresource === undefined ? plural : `${plural}/${subresource}`;
      return (verbs.match(/\b(create|delete|get|list|patch|watch)\b/g) ?? []).map((verb) => `${verb} ${api}/${name}`);
    });
    assert.deepEqual(new Set(told), grantedBy(role));
  });

  test("are given to its account by a Role in each served namespace, and in the cluster to ask whose a token is", async () => {
    const config = { ...LEAST_VALUES.config, namespaces: ["one", "two"] };
    const values = { config, serviceAccount: { name: "runner" }, rbac: { aggregate: false } };
    const objects = await renderChart(values, { namespace: "operators" });
    const rbac = objects.filter(({ apiVersion }) => apiVersion.startsWith("rbac.authorization.k8s.io/"));
    assert.equal(rbac.length, 6);
    assert.deepEqual(
      new Set(rbac.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}`)),
      new Set(["Role one", "Role two", "RoleBinding one", "RoleBinding two", "ClusterRole ", "ClusterRoleBinding "]),
    );
    const ofCluster = rbac.filter(({ kind }) => kind === "ClusterRole").map(({ rules }) => rules);
    assert.deepEqual(ofCluster, [[{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }]]);
    for (const { kind, roleRef, subjects, metadata } of rbac.filter(({ kind }) => kind.endsWith("Binding"))) {
      const role = kind.replace("Binding", "");
      assert.deepEqual(roleRef, { apiGroup: "rbac.authorization.k8s.io", kind: role, name: metadata.name });
      assert.deepEqual(subjects, [{ kind: "ServiceAccount", name: "runner", namespace: "operators" }]);
    }
  });

  test("can be left to the user, as can the account", async () => {
    const objects = await renderChart({ ...LEAST_VALUES, rbac: { create: false }, serviceAccount: { create: false } });
    assert.ok(!objects.some(({ kind }) => ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"].includes(kind)));
    const deployment = objects.find(({ kind }) => kind === "Deployment");
    assert.equal(deployment?.spec.template.spec.serviceAccountName, "default");
  });

  test("of users: Kubernetes' roles view, edit and admin have TestTasks in them, by roles that give the operator nothing", async () => {
    const objects = await renderChart(LEAST_VALUES);
    const reading = ["get", "list", "watch"];
    const writing = ["create", "delete", "deletecollection", "patch", "update"];
    for (const [role, verbs] of Object.entries({ view: reading, edit: [...reading, ...writing], admin: [...reading, ...writing] })) {
      const added = objects.filter(({ metadata }) => metadata.labels?.[`rbac.authorization.k8s.io/aggregate-to-${role}`] === "true");
      const rights = added.flatMap((part) => [...grantedBy(part)]);
      assert.deepEqual(rights.sort(), verbs.map((verb) => `${verb} turbo-hipster.io/testtasks`).sort(), role);
    }
    const bound = objects.filter(({ kind }) => kind === "ClusterRoleBinding").map(({ roleRef }) => roleRef.name);
    assert.deepEqual(bound, ["ci-turbo-hipster"]);
    // They belong to the definition, which one release of a cluster installs.
    for (const values of [{ rbac: { aggregate: false } }, { crds: { install: false } }])
      assert.equal((await renderChart({ ...LEAST_VALUES, ...values })).filter(({ kind }) => kind === "ClusterRole").length, 1);
  });
});
