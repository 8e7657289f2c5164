import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type JsonPatchOperation, renderPointer } from "../../src/kube/client/json-patch.ts";
import type { KubeClient, WatchEvent } from "../../src/kube/client/kube-client.ts";
import {
  isAlreadyExists,
  isConflict,
  isExpired,
  isInvalid,
  isNotFound,
  isOtherUid,
  isTestFailed,
  KubeError,
} from "../../src/kube/client/kube-error.ts";
import { CONFIG_MAPS, JOBS, PODS, type Resource, SECRETS } from "../../src/kube/client/resource.ts";
import { OwnRights } from "../../src/kube/objects/own-rights.ts";
import { SecretValues } from "../../src/kube/objects/secret-values.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import type { StoredObject } from "../support/fake-kube/resource-rules.ts";
import type { ContractTarget } from "./contract-target.ts";
import { describeContract } from "./describe-contract.ts";

describeContract({ fake: "the fake API server", real: "a real API server" }, holdContract);

const BACKGROUND = { propagationPolicy: "Background" } as const;

function configMap(name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data };
}

/** Suspended, so that no controller touches it. */
function suspendedJob(name: string) {
  const spec = { restartPolicy: "Never", containers: [{ name: "test", image: "example.invalid/none", command: ["true"] }] };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { suspend: true, backoffLimit: 0, template: { spec } } };
}

/** One that no node takes. */
function strandedPod(name: string) {
  const spec = {
    nodeSelector: { "contract.turbo-hipster.io/node": "none" },
    restartPolicy: "Never",
    activeDeadlineSeconds: 3600,
    containers: [{ name: "test", image: "example.invalid/none" }],
  };
  return { apiVersion: "v1", kind: "Pod", metadata: { name }, spec };
}

function holdContract(target: ContractTarget): void {
  let client: KubeClient;

  before(async () => {
    client = target.client;
  });

  const create = (resource: Resource, namespace: string, body: object) => client.create<StoredObject>(resource, namespace, body);

  /** The next `count` events, without bookmarks and the ConfigMap that a controller puts into every namespace at some time. */
  async function collect(
    resource: Resource,
    namespace: string | undefined,
    options: { resourceVersion: string; labelSelector?: string },
    count: number,
  ): Promise<WatchEvent<StoredObject>[]> {
    const events: WatchEvent<StoredObject>[] = [];
    const signal = AbortSignal.timeout(20_000);
    for await (const event of client.watch<StoredObject>(resource, namespace, { ...options, signal })) {
      if (event.type !== "BOOKMARK" && event.object.metadata.name !== "kube-root-ca.crt") events.push(event);
      if (events.length === count) break;
    }
    return events;
  }

  const render = (events: WatchEvent<StoredObject>[]) => events.map(({ type, object }) => `${type} ${object.metadata.name}`);

  describe("writing and reading", () => {
    it("gives a created object uid, version and creation time, and returns the same again", async () => {
      const namespace = await target.makeNamespace();
      const made = await create(CONFIG_MAPS, namespace, configMap("a", { key: "value" }));
      assert.match(made.metadata.uid, /^[0-9a-f-]{36}$/);
      assert.match(made.metadata.resourceVersion, /^[1-9]\d*$/);
      assert.match(made.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(made.metadata.namespace, namespace);
      assert.deepEqual(await client.get(CONFIG_MAPS, namespace, "a"), made);
    });

    it("answers a write with its metadata alone where only that is asked for, and refuses it with the same words", async () => {
      const namespace = await target.makeNamespace();
      const answer = "metadata" as const;
      const body = { ...suspendedJob("a"), metadata: { name: "a", annotations: { "example.org/a": "1" } } };
      const answers = [
        await client.create<StoredObject>(JOBS, namespace, body, { answer }),
        await client.mergePatch<StoredObject>(JOBS, namespace, "a", { metadata: { labels: { a: "b" } } }, { answer }),
        await client.jsonPatch<StoredObject>(JOBS, namespace, "a", [{ op: "add", path: "/metadata/labels/c", value: "d" }], { answer }),
      ];
      for (const each of answers) assert.deepEqual([each.kind, each.spec, each.status], ["PartialObjectMetadata", undefined, undefined]);
      const { metadata } = await client.get<StoredObject>(JOBS, namespace, "a");
      assert.deepEqual(answers[2]?.metadata, metadata);
      const { labels, annotations } = metadata;
      assert.deepEqual([labels?.a, labels?.c, annotations], ["b", "d", { "example.org/a": "1" }]);
      await assert.rejects(client.create(JOBS, namespace, body, { answer }), isAlreadyExists);
      const test = { op: "test", path: "/metadata/labels/c", value: "x" } as const;
      await assert.rejects(client.jsonPatch(JOBS, namespace, "a", [test], { answer }), isTestFailed);
    });

    it("refuses a second object of the same name as AlreadyExists", async () => {
      const namespace = await target.makeNamespace();
      await create(CONFIG_MAPS, namespace, configMap("a"));
      await assert.rejects(create(CONFIG_MAPS, namespace, configMap("a", { other: "data" })), (error) => {
        assert.ok(isAlreadyExists(error) && error instanceof KubeError && !error.retryable);
        assert.match(error.message, /configmaps "a" already exists/);
        return true;
      });
    });

    it("answers 404 for an object that is not there, to get and patch, and delete takes it as done", async () => {
      const namespace = await target.makeNamespace();
      await assert.rejects(client.get(CONFIG_MAPS, namespace, "none"), isNotFound);
      await assert.rejects(client.mergePatch(CONFIG_MAPS, namespace, "none", { data: {} }), isNotFound);
      await client.delete(CONFIG_MAPS, namespace, "none", BACKGROUND);
    });

    it("has a page of 404 and no Status for a resource it does not know, as a proxy might", async () => {
      const unknown = { group: "nothing.turbo-hipster.io", version: "v1", plural: "things" };
      await assert.rejects(client.list(unknown, undefined), (error) => {
        assert.ok(error instanceof KubeError && error.retryable && error.status === 404);
        assert.match(error.message, /404 page not found; there is no such resource/);
        return true;
      });
    });

    it("says who asks and what he may, and publishes the schemas of a group, with the rules in them", async () => {
      const own = new OwnRights({ client });
      const { signal } = new AbortController();
      assert.match((await own.user(signal)) ?? "", /./);
      const right = { group: "batch", resource: "jobs", verbs: ["create"], where: "each" } as const;
      for (const namespace of ["default", undefined]) assert.equal(await own.isAllowed({ right, verb: "create", namespace }, signal), true);
      let schema: { properties: { spec: object } } | undefined;
      await waitUntil("the widgets to be published", 30_000, async () => {
        const document = (await client.openApi(target.widgets).catch(() => ({}))) as { components?: { schemas?: Record<string, never> } };
        const kind = { group: target.widgets.group, kind: "Widget", version: "v1" };
        schema = Object.values(document.components?.schemas ?? {}).find((each) =>
          isDeepStrictEqual(each["x-kubernetes-group-version-kind"], [kind]),
        );
        return schema !== undefined;
      });
      const { size, colour } = { size: { type: "integer", minimum: 1, maximum: 10 }, colour: { type: "string" } };
      const rules = [{ rule: "self.size < 11", message: "too large" }];
      assert.deepEqual(schema?.properties.spec, {
        ...{ type: "object", required: ["size"], properties: { size, colour }, "x-kubernetes-validations": rules },
      });
      await assert.rejects(client.openApi({ group: "nothing.turbo-hipster.io", version: "v1" }), { status: 404 });
    });

    it("gives the values of a Secret in base64 and 404 for one that is not there", async () => {
      const namespace = await target.makeNamespace();
      const values = { password: Buffer.from([0, 255, 10]), empty: Buffer.alloc(0) };
      const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.toString("base64")]));
      await create(SECRETS, namespace, { apiVersion: "v1", kind: "Secret", metadata: { name: "a" }, data });
      const secrets = new SecretValues({ client });
      const read = (await secrets.of(namespace, "a")) ?? assert.fail();
      assert.ok(read instanceof Map);
      assert.deepEqual(Object.fromEntries([...read].map(([key, value]) => [key, Buffer.from(value)])), values);
      assert.equal(await secrets.of(namespace, "none"), undefined);
    });

    it("stores nothing on a dry run, but refuses what it would refuse", async () => {
      const namespace = await target.makeNamespace();
      await client.create(JOBS, namespace, suspendedJob("dry"), { dryRun: true });
      await assert.rejects(client.get(JOBS, namespace, "dry"), isNotFound);
      const bad = { ...suspendedJob("dry"), spec: { template: { spec: { restartPolicy: "Never", containers: [] } } } };
      await assert.rejects(client.create(JOBS, namespace, bad, { dryRun: true }), isInvalid);
    });

    it("refuses an invalid Job or custom resource with 422 and the field's name", async () => {
      const namespace = await target.makeNamespace();
      const job = {
        ...suspendedJob("bad"),
        spec: { template: { spec: { restartPolicy: "Always", containers: [{ name: "test", image: "x" }] } } },
      };
      await assert.rejects(create(JOBS, namespace, job), (error) => {
        assert.ok(error instanceof KubeError && error.status === 422 && isInvalid(error));
        assert.equal(error.causes[0]?.field, "spec.template.spec.restartPolicy");
        return true;
      });
      await assert.rejects(create(target.widgets, namespace, { ...widget("bad"), spec: { size: 11 } }), (error) => {
        assert.ok(error instanceof KubeError && error.status === 422);
        assert.equal(error.causes[0]?.field, "spec.size");
        return true;
      });
      await assert.rejects(create(CONFIG_MAPS, namespace, configMap("Not_A_Name")), (error) => {
        assert.ok(error instanceof KubeError && error.status === 422);
        assert.equal(error.causes[0]?.field, "metadata.name");
        return true;
      });
    });

    const widget = (name: string) => ({
      apiVersion: `${target.widgets.group}/v1`,
      kind: "Widget",
      metadata: { name },
      spec: { size: 3, colour: "red" },
    });

    it("merges patches: null removes, other values replace, the rest stays", async () => {
      const namespace = await target.makeNamespace();
      const made = await create(CONFIG_MAPS, namespace, configMap("a", { keep: "1", drop: "2" }, { app: "x" }));
      const patched = await client.mergePatch<StoredObject>(CONFIG_MAPS, namespace, "a", { data: { drop: null, add: "3" } });
      assert.deepEqual(patched.data, { keep: "1", add: "3" });
      assert.deepEqual(patched.metadata.labels, { app: "x" });
      assert.notEqual(patched.metadata.resourceVersion, made.metadata.resourceVersion);
    });

    it("changes neither version nor watchers when a patch changes nothing", async () => {
      const namespace = await target.makeNamespace();
      const made = await create(CONFIG_MAPS, namespace, configMap("a", { key: "1" }));
      const patched = await client.mergePatch<StoredObject>(CONFIG_MAPS, namespace, "a", { data: { key: "1" } });
      assert.equal(patched.metadata.resourceVersion, made.metadata.resourceVersion);
      await client.mergePatch(CONFIG_MAPS, namespace, "a", { data: { key: "2" } });
      const [event] = await collect(CONFIG_MAPS, namespace, made.metadata, 1);
      assert.equal(event?.object.data.key, "2");
    });

    it("refuses a patch against an older version as a conflict, and takes one against the current", async () => {
      const namespace = await target.makeNamespace();
      const first = await create(CONFIG_MAPS, namespace, configMap("a", { key: "1" }));
      const at = (resourceVersion: string, key: string) =>
        client.mergePatch<StoredObject>(CONFIG_MAPS, namespace, "a", { metadata: { resourceVersion }, data: { key } });
      const second = await at(first.metadata.resourceVersion, "2");
      await assert.rejects(at(first.metadata.resourceVersion, "3"), isConflict);
      assert.equal((await at(second.metadata.resourceVersion, "4")).data.key, "4");
    });

    describe("with JSON patches", () => {
      const REQUEST = "turbo-hipster.io/request";
      const request = renderPointer("metadata", "annotations", REQUEST);
      let namespace: string;
      before(async () => {
        namespace = await target.makeNamespace();
      });

      async function makeRequested(name: string): Promise<void> {
        const metadata = { name, annotations: { [REQUEST]: "first" } };
        await create(CONFIG_MAPS, namespace, { ...configMap(name, { key: "1" }), metadata });
      }
      const patch = (name: string, operations: readonly JsonPatchOperation[], options = {}) =>
        client.jsonPatch<StoredObject>(CONFIG_MAPS, namespace, name, operations, options);

      it("adds, replaces and removes fields, by escaped pointers, where all tests hold", async () => {
        await makeRequested("a");
        const patched = await patch("a", [
          { op: "test", path: request, value: "first" },
          { op: "replace", path: request, value: "second" },
          { op: "test", path: request, value: "second" },
          { op: "add", path: "/metadata/labels", value: { app: "x" } },
          { op: "add", path: "/metadata/labels/app", value: "y" },
          { op: "add", path: "/data/other", value: "2" },
          { op: "remove", path: "/data/key" },
        ]);
        assert.deepEqual(
          [patched.metadata.annotations, patched.metadata.labels, patched.data],
          [{ [REQUEST]: "second" }, { app: "y" }, { other: "2" }],
        );
        assert.deepEqual(await client.get(CONFIG_MAPS, namespace, "a"), patched);
      });

      it("refuses all of a patch, in its own way, when one test fails", async () => {
        await makeRequested("b");
        const made = await client.get<StoredObject>(CONFIG_MAPS, namespace, "b");
        for (const value of ["other", "", null, { first: 1 }]) {
          await assert.rejects(
            patch("b", [
              { op: "add", path: "/data/other", value: "2" },
              { op: "test", path: request, value },
            ]),
            (error) => {
              assert.ok(isTestFailed(error) && error instanceof KubeError && !error.retryable);
              assert.deepEqual([error.status, error.reason, error.causes], [422, "Invalid", []]);
              assert.equal(error.statusMessage, "the server rejected our request due to an error in our request");
              return true;
            },
          );
        }
        await assert.rejects(patch("b", [{ op: "test", path: "/metadata/annotations/none", value: "x" }]), isTestFailed);
        assert.deepEqual(await client.get(CONFIG_MAPS, namespace, "b"), made);
      });

      it("takes null as the test of a key that is not there", async () => {
        await makeRequested("c");
        const absent = { op: "test", path: "/metadata/annotations/none", value: null } as const;
        const patched = await patch("c", [absent, { op: "add", path: "/metadata/annotations/none", value: "x" }]);
        assert.equal(patched.metadata.annotations?.none, "x");
        await assert.rejects(patch("c", [absent]), isTestFailed);
      });

      it("takes the replacing of a missing key as adding it, and refuses the removing of one", async () => {
        await makeRequested("d");
        assert.deepEqual((await patch("d", [{ op: "replace", path: "/data/other", value: "2" }])).data, { key: "1", other: "2" });
        await assert.rejects(patch("d", [{ op: "remove", path: "/data/none" }]), isInvalid);
      });

      it("refuses what has no parent, as it does a failed test", async () => {
        await makeRequested("e");
        const path = "/metadata/labels/app";
        const operations: JsonPatchOperation[] = [
          { op: "add", path, value: "x" },
          { op: "replace", path, value: "x" },
          { op: "remove", path },
        ];
        for (const operation of operations) {
          await assert.rejects(patch("e", [operation]), isInvalid);
          await assert.rejects(patch("e", [{ op: "test", path: request, value: "first" }, operation]), isTestFailed);
        }
        await assert.rejects(patch("e", [{ op: "test", path, value: null }]), isTestFailed);
      });

      it("tells an object that became invalid, one that is not there, and a version that has passed from a failed test", async () => {
        await create(target.widgets, namespace, widget("a"));
        const big = [
          { op: "test", path: "/spec/size", value: 3 },
          { op: "replace", path: "/spec/size", value: 11 },
        ] as const;
        await assert.rejects(client.jsonPatch(target.widgets, namespace, "a", big), isInvalid);
        await assert.rejects(patch("none", [{ op: "test", path: request, value: "first" }]), isNotFound);
        await makeRequested("f");
        await assert.rejects(patch("f", [{ op: "replace", path: "/metadata/resourceVersion", value: "1" }]), isConflict);
      });

      it("stores nothing on a dry run, and changes only its side of spec and status", async () => {
        await makeRequested("g");
        const made = await client.get<StoredObject>(CONFIG_MAPS, namespace, "g");
        await patch("g", [{ op: "add", path: "/data/other", value: "2" }], { dryRun: true });
        assert.deepEqual(await client.get(CONFIG_MAPS, namespace, "g"), made);
        await create(target.widgets, namespace, widget("b"));
        const both = [
          { op: "test", path: "/spec/size", value: 3 },
          { op: "add", path: "/status", value: { "a~1b": 1, "a~b": 2 } },
          { op: "test", path: renderPointer("status", "a~1b"), value: 1 },
          { op: "remove", path: renderPointer("status", "a~1b") },
          { op: "replace", path: "/spec/size", value: 4 },
        ] as const;
        const patched = await client.jsonPatch<StoredObject>(target.widgets, namespace, "b", both, { subresource: "status" });
        assert.deepEqual([patched.spec.size, patched.status], [3, { "a~b": 2 }]);
      });
    });

    it("counts changes of the spec in generation, not those of labels or status", async () => {
      const namespace = await target.makeNamespace();
      assert.equal((await create(target.widgets, namespace, widget("a"))).metadata.generation, 1);
      const patch = async (body: object, options = {}) =>
        (await client.mergePatch<StoredObject>(target.widgets, namespace, "a", body, options)).metadata.generation;
      assert.equal(await patch({ metadata: { labels: { app: "x" } } }), 1);
      assert.equal(await patch({ status: { seen: 1 } }, { subresource: "status" }), 1);
      assert.equal(await patch({ spec: { size: 4 } }), 2);
    });

    it("keeps spec and status apart: each way of writing changes its own only", async () => {
      const namespace = await target.makeNamespace();
      const made = await create(target.widgets, namespace, { ...widget("a"), status: { seen: 9 } });
      assert.equal(made.status, undefined);
      const viaStatus = await client.mergePatch<StoredObject>(
        target.widgets,
        namespace,
        "a",
        { spec: { size: 5 }, status: { seen: 1 } },
        { subresource: "status" },
      );
      assert.deepEqual([viaStatus.spec.size, viaStatus.status], [3, { seen: 1 }]);
      const viaSpec = await client.mergePatch<StoredObject>(target.widgets, namespace, "a", { spec: { size: 6 }, status: { seen: 2 } });
      assert.deepEqual([viaSpec.spec.size, viaSpec.status], [6, { seen: 1 }]);
    });

    it("refuses an invalid patch of a custom resource with 422", async () => {
      const namespace = await target.makeNamespace();
      await create(target.widgets, namespace, widget("a"));
      await assert.rejects(client.mergePatch(target.widgets, namespace, "a", { spec: { size: 0 } }), isInvalid);
    });

    it("refuses a change of a Job's template", async () => {
      const namespace = await target.makeNamespace();
      await create(JOBS, namespace, suspendedJob("a"));
      const template = { spec: { containers: [{ name: "test", image: "example.invalid/other" }] } };
      await assert.rejects(client.mergePatch(JOBS, namespace, "a", { spec: { template } }), isInvalid);
      await client.mergePatch(JOBS, namespace, "a", { metadata: { annotations: { note: "x" } }, spec: { ttlSecondsAfterFinished: 60 } });
    });

    it("lets a pod's activeDeadlineSeconds be lowered, not raised, and nothing else of its spec be changed", async () => {
      const namespace = await target.makeNamespace();
      await create(PODS, namespace, strandedPod("a"));
      const patch = (spec: object) => client.mergePatch<StoredObject>(PODS, namespace, "a", { spec });
      assert.equal((await patch({ activeDeadlineSeconds: 1 })).spec.activeDeadlineSeconds, 1);
      await assert.rejects(patch({ activeDeadlineSeconds: 2 }), isInvalid);
      await assert.rejects(patch({ restartPolicy: "Always" }), isInvalid);
    });
  });

  describe("deleting", () => {
    it("removes an object at once and tells it with a newer version", async () => {
      const namespace = await target.makeNamespace();
      const made = await create(CONFIG_MAPS, namespace, configMap("a"));
      await client.delete(CONFIG_MAPS, namespace, "a", BACKGROUND);
      await assert.rejects(client.get(CONFIG_MAPS, namespace, "a"), isNotFound);
      const [event] = await collect(CONFIG_MAPS, namespace, made.metadata, 1);
      assert.equal(event?.type, "DELETED");
      assert.ok(BigInt(event.object.metadata.resourceVersion) > BigInt(made.metadata.resourceVersion));
    });

    it("deletes only the uid that was asked for; another is a conflict", async () => {
      const namespace = await target.makeNamespace();
      const made = await create(CONFIG_MAPS, namespace, configMap("a"));
      await assert.rejects(
        client.delete(CONFIG_MAPS, namespace, "a", { ...BACKGROUND, uid: "00000000-0000-0000-0000-000000000000" }),
        isConflict,
      );
      await client.delete(CONFIG_MAPS, namespace, "a", { ...BACKGROUND, uid: made.metadata.uid });
    });

    it("leaves a Job alone that was made anew under the name of the one that was meant, in deleting and in patching", async () => {
      const namespace = await target.makeNamespace();
      const spec = { ttlSecondsAfterFinished: 60 };
      const { uid } = (await create(JOBS, namespace, suspendedJob("a"))).metadata;
      await client.delete(JOBS, namespace, "a", { ...BACKGROUND, uid });
      const { metadata } = await create(JOBS, namespace, suspendedJob("a"));
      await assert.rejects(client.delete(JOBS, namespace, "a", { ...BACKGROUND, uid }), isConflict);
      const patch = (meant: string) => client.mergePatch(JOBS, namespace, "a", { metadata: { uid: meant }, spec });
      await assert.rejects(patch(uid), isOtherUid);
      const tested = (meant: string) => [
        { op: "test" as const, path: renderPointer("metadata", "uid"), value: meant },
        { op: "add" as const, path: renderPointer("spec", "ttlSecondsAfterFinished"), value: 60 },
      ];
      await assert.rejects(client.jsonPatch(JOBS, namespace, "a", tested(uid)), isTestFailed);
      const left = await client.get<StoredObject>(JOBS, namespace, "a");
      assert.deepEqual([left.metadata.uid, left.spec.ttlSecondsAfterFinished], [metadata.uid, undefined]);
      await patch(metadata.uid);
      await client.jsonPatch(JOBS, namespace, "a", tested(metadata.uid));
      await client.delete(JOBS, namespace, "a", { ...BACKGROUND, uid: metadata.uid });
      await assert.rejects(client.get(JOBS, namespace, "a"), isNotFound);
    });

    it("keeps an object with finalizers, marked with deletionTimestamp, until the last one is taken away", async () => {
      const namespace = await target.makeNamespace();
      const body = configMap("a");
      const made = await create(CONFIG_MAPS, namespace, { ...body, metadata: { ...body.metadata, finalizers: ["turbo-hipster.io/test"] } });
      await client.delete(CONFIG_MAPS, namespace, "a", BACKGROUND);
      const marked = await client.get<StoredObject>(CONFIG_MAPS, namespace, "a");
      assert.match(marked.metadata.deletionTimestamp ?? "", /^\d{4}-/);
      await client.mergePatch(CONFIG_MAPS, namespace, "a", { metadata: { finalizers: null } });
      await assert.rejects(client.get(CONFIG_MAPS, namespace, "a"), isNotFound);
      assert.deepEqual(render(await collect(CONFIG_MAPS, namespace, made.metadata, 2)), ["MODIFIED a", "DELETED a"]);
    });

    it("counts the mark of deletion in generation", async () => {
      const namespace = await target.makeNamespace();
      const metadata = { name: "a", finalizers: ["turbo-hipster.io/test"] };
      await create(target.widgets, namespace, { apiVersion: `${target.widgets.group}/v1`, kind: "Widget", metadata, spec: { size: 1 } });
      await client.delete(target.widgets, namespace, "a", BACKGROUND);
      assert.equal((await client.get<StoredObject>(target.widgets, namespace, "a")).metadata.generation, 2);
      await client.mergePatch(target.widgets, namespace, "a", { metadata: { finalizers: null } });
    });

    it("removes a pod that has no node at once", async () => {
      const namespace = await target.makeNamespace();
      await create(PODS, namespace, strandedPod("a"));
      await client.delete(PODS, namespace, "a", BACKGROUND);
      await assert.rejects(client.get(PODS, namespace, "a"), isNotFound);
    });
  });

  describe("listing", () => {
    it("gives a list's version, from which a watch goes on without a gap", async () => {
      const namespace = await target.makeNamespace();
      await create(CONFIG_MAPS, namespace, configMap("before", {}, { app: "x" }));
      const list = await client.list<StoredObject>(CONFIG_MAPS, namespace, { labelSelector: "app=x" });
      assert.deepEqual(
        list.items.map((item) => item.metadata.name),
        ["before"],
      );
      await create(CONFIG_MAPS, namespace, configMap("after", {}, { app: "x" }));
      assert.deepEqual(render(await collect(CONFIG_MAPS, namespace, { ...list.metadata, labelSelector: "app=x" }, 1)), ["ADDED after"]);
    });

    it("pages through one snapshot", async () => {
      const namespace = await target.makeNamespace();
      for (const name of ["a", "b", "c", "d", "e"]) await create(CONFIG_MAPS, namespace, configMap(name, {}, { app: "x" }));
      const names: string[] = [];
      const versions = new Set<string>();
      const options = { labelSelector: "app=x", limit: 2 };
      let page = await client.list<StoredObject>(CONFIG_MAPS, namespace, options);
      await create(CONFIG_MAPS, namespace, configMap("bb", {}, { app: "x" }));
      for (;;) {
        names.push(...page.items.map((item) => item.metadata.name));
        versions.add(page.metadata.resourceVersion);
        if (!page.metadata.continue) break;
        page = await client.list<StoredObject>(CONFIG_MAPS, namespace, { ...options, continue: page.metadata.continue });
      }
      assert.deepEqual(names, ["a", "b", "c", "d", "e"]);
      assert.equal(versions.size, 1);
    });

    it("selects by label: equal, unequal, there, not there, one of several", async () => {
      const namespace = await target.makeNamespace();
      await create(JOBS, namespace, { ...suspendedJob("a"), metadata: { name: "a", labels: { app: "x", tier: "1" } } });
      await create(JOBS, namespace, { ...suspendedJob("b"), metadata: { name: "b", labels: { app: "y" } } });
      const names = async (labelSelector: string) =>
        (await client.list<StoredObject>(JOBS, namespace, { labelSelector })).items.map((item) => item.metadata.name).join();
      assert.deepEqual(await Promise.all(["app=x", "app!=x", "tier", "!tier", "app=x,tier=1", "app=z", "app in (z,x),tier"].map(names)), [
        "a",
        "b",
        "a",
        "b",
        "a",
        "",
        "a",
      ]);
    });

    it("answers a version of the future with 504 ResourceVersionTooLarge", async () => {
      const namespace = await target.makeNamespace();
      await assert.rejects(client.list(CONFIG_MAPS, namespace, { resourceVersion: "999999999999" }), (error) => {
        assert.ok(error instanceof KubeError && isExpired(error));
        assert.deepEqual([error.status, error.retryable, error.retryAfterMs], [504, true, 1000]);
        return true;
      });
    });
  });

  describe("watching", () => {
    it("tells changes from a version on, in order, each with its own version", async () => {
      const namespace = await target.makeNamespace();
      const { metadata } = await client.list(CONFIG_MAPS, namespace);
      await create(CONFIG_MAPS, namespace, configMap("a"));
      await client.mergePatch(CONFIG_MAPS, namespace, "a", { data: { key: "1" } });
      await create(CONFIG_MAPS, namespace, configMap("b"));
      await client.delete(CONFIG_MAPS, namespace, "a", BACKGROUND);
      const events = await collect(CONFIG_MAPS, namespace, metadata, 4);
      assert.deepEqual(render(events), ["ADDED a", "MODIFIED a", "ADDED b", "DELETED a"]);
      const versions = events.map(({ object }) => BigInt(object.metadata.resourceVersion));
      assert.deepEqual(
        versions,
        [...versions].sort((a, b) => (a < b ? -1 : 1)),
      );
      assert.deepEqual(render(await collect(CONFIG_MAPS, namespace, events[2]?.object.metadata ?? metadata, 1)), ["DELETED a"]);
    });

    it("tells of all namespaces over one watch, of those made after it as well, from the version of a list of all", async () => {
      const [early, labels] = [await target.makeNamespace(), { contract: crypto.randomUUID() }];
      const labelSelector = `contract=${labels.contract}`;
      await create(CONFIG_MAPS, early, configMap("a", {}, labels));
      await create(CONFIG_MAPS, early, configMap("unmeant"));
      const { items, metadata } = await client.list<StoredObject>(CONFIG_MAPS, undefined, { labelSelector });
      const place = ({ metadata: { namespace, name } }: StoredObject) => `${namespace}/${name}`;
      assert.deepEqual(items.map(place), [`${early}/a`]);
      const late = await target.makeNamespace();
      await create(CONFIG_MAPS, late, configMap("a", {}, labels));
      await client.delete(CONFIG_MAPS, early, "a", BACKGROUND);
      const events = await collect(CONFIG_MAPS, undefined, { resourceVersion: metadata.resourceVersion, labelSelector }, 2);
      assert.deepEqual(
        events.map(({ type, object }) => `${type} ${place(object)}`),
        [`ADDED ${late}/a`, `DELETED ${early}/a`],
      );
    });

    it("tells an object that leaves the selector as deleted and one that comes back as added, with the change's version", async () => {
      const namespace = await target.makeNamespace();
      const made = await create(CONFIG_MAPS, namespace, configMap("a", {}, { app: "x" }));
      const left = await client.mergePatch<StoredObject>(CONFIG_MAPS, namespace, "a", { metadata: { labels: { app: "y" } } });
      const back = await client.mergePatch<StoredObject>(CONFIG_MAPS, namespace, "a", { metadata: { labels: { app: "x" } } });
      const { resourceVersion } = made.metadata;
      const events = await collect(CONFIG_MAPS, namespace, { resourceVersion, labelSelector: "app=x" }, 2);
      assert.deepEqual(render(events), ["DELETED a", "ADDED a"]);
      assert.deepEqual(
        events.map(({ object }) => object.metadata.resourceVersion),
        [left.metadata.resourceVersion, back.metadata.resourceVersion],
      );
    });

    it("shows the objects whole but for managedFields, in the order of types and of the alphabet", async () => {
      const namespace = await target.makeNamespace();
      const config = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "a", annotations: { b: ',"managedFields":[' } },
        data: { c: "]" },
      };
      const widget = {
        apiVersion: `${target.widgets.group}/v1`,
        kind: "Widget",
        metadata: { name: "a", labels: { z: "y" } },
        spec: { size: 1 },
      };
      for (const [resource, object] of [[CONFIG_MAPS, config] as const, [target.widgets, widget] as const]) {
        const { metadata } = await client.list(resource, namespace);
        await create(resource, namespace, object);
        const [event] = await collect(resource, namespace, { resourceVersion: metadata.resourceVersion }, 1);
        const whole = await client.get<{ metadata: { managedFields?: unknown } }>(resource, namespace, "a");
        delete whole.metadata.managedFields;
        assert.deepEqual(event?.object, whole);
      }
    });

    it("ends normally after timeoutSeconds, with a bookmark before", async () => {
      const namespace = await target.makeNamespace();
      const { metadata } = await client.list(target.widgets, namespace);
      const signal = AbortSignal.timeout(20_000);
      const types: string[] = [];
      for await (const event of client.watch(target.widgets, namespace, { ...metadata, timeoutSeconds: 1, signal })) types.push(event.type);
      assert.ok(types.every((type) => type === "BOOKMARK"));
    });

    it("answers a compacted version with 410 in an ERROR event", async () => {
      const namespace = await target.makeNamespace();
      await create(target.widgets, namespace, {
        metadata: { name: "a" },
        apiVersion: `${target.widgets.group}/v1`,
        kind: "Widget",
        spec: { size: 1 },
      });
      await assert.rejects(collect(target.widgets, namespace, { resourceVersion: "1" }, 1), (error) => {
        assert.ok(error instanceof KubeError && isExpired(error));
        assert.equal(error.status, 410);
        return true;
      });
    });
  });

  describe("logs", () => {
    it("answers 404 without the pod, 400 for a wrong container, and with nothing for a pod without a node", async () => {
      const namespace = await target.makeNamespace();
      const signal = AbortSignal.timeout(20_000);
      await assert.rejects(client.podLog(namespace, "none", { container: "test", signal }), isNotFound);
      await create(PODS, namespace, strandedPod("a"));
      const isBadRequest = (error: unknown) => error instanceof KubeError && error.status === 400;
      await assert.rejects(client.podLog(namespace, "a", { container: "other", signal }), isBadRequest);
      const chunks = await Array.fromAsync(await client.podLog(namespace, "a", { container: "test", signal }));
      assert.equal(Buffer.concat(chunks).length, 0);
    });
  });
}
