import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { DEFAULT_CLUSTER, findCluster } from "../../deploy/local/local-cluster.ts";
import { type KubeClient, loadKubeClient } from "../../src/kube/client/kube-client.ts";
import type { Resource } from "../../src/kube/client/resource.ts";
import { isRetryable } from "../../src/runtime/errors.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { MADE_BY_TESTS } from "../support/cluster/made-by-tests.ts";
import { startFakeKube } from "../support/fake-kube/fake-kube.ts";
import { type PodScript, playNode } from "../support/fake-kube/play-node.ts";
import type { StoredObject } from "../support/fake-kube/resource-rules.ts";

/** An API server that the contract is held against. */
export interface ContractTarget extends AsyncDisposable {
  readonly client: KubeClient;
  /** A custom resource with a status subresource whose `spec.size` must be 1 to 10. */
  readonly widgets: Resource;
  /** A fresh namespace in which pods can be made. */
  makeNamespace(): Promise<string>;
}

const NAMESPACES: Resource = { group: "", version: "v1", plural: "namespaces" };
const SERVICE_ACCOUNTS: Resource = { group: "", version: "v1", plural: "serviceaccounts" };
const SECRETS: Resource = { group: "", version: "v1", plural: "secrets" };
const CRDS: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };

/** Why a test of the real API server is skipped. */
export const NO_REAL_SERVER = "no real API server: set TH_TEST_KUBECONFIG, or start one with `npm run cluster -- up`";

const randomName = (prefix: string) => `${prefix}-${randomBytes(4).toString("hex")}`;

export async function openFakeTarget(scriptOf?: (job: StoredObject) => PodScript): Promise<ContractTarget> {
  const widgets = { group: "contract.turbo-hipster.io", version: "v1", plural: "widgets" };
  const fake = await startFakeKube({
    resources: [{ ...widgets, kind: "Widget", hasStatus: true, hasGeneration: true, schema: WIDGET_SCHEMA }],
    validate: { widgets: checkWidget },
  });
  const client = await loadKubeClient({ kubeconfig: fake.kubeconfig });
  const node = scriptOf && playNode(fake, scriptOf);
  return {
    client,
    widgets,
    makeNamespace: async () => randomName("contract"),
    async [Symbol.asyncDispose]() {
      node?.[Symbol.dispose]();
      assert.deepEqual(node?.failures ?? [], []);
      await client.close();
      await fake[Symbol.asyncDispose]();
    },
  };
}

function checkWidget({ spec }: StoredObject) {
  const size = Number(spec?.size);
  if (size >= 1 && size <= 10) return [];
  return [{ field: "spec.size", reason: "FieldValueInvalid" as const, message: `Invalid value: ${size}: spec.size should be 1 to 10` }];
}

/**
 * The kubeconfig of a real API server: `TH_TEST_KUBECONFIG` (`npm test` sets it to that of a cluster it keeps up), or that of the default local
 * cluster if it is up; undefined if there is none of these.
 */
export async function findRealKubeconfig(): Promise<string | undefined> {
  if (process.env.TH_TEST_KUBECONFIG) return process.env.TH_TEST_KUBECONFIG;
  const cluster = await findCluster(DEFAULT_CLUSTER, () => {});
  return cluster?.kubeconfig;
}

export async function openRealTarget(kubeconfig: string): Promise<ContractTarget> {
  const client = await loadKubeClient({ kubeconfig });
  const widgets = { group: `${randomName("contract")}.turbo-hipster.io`, version: "v1", plural: "widgets" };
  const crd = `widgets.${widgets.group}`;
  const namespaces: string[] = [];
  await client.create(CRDS, undefined, renderWidgetDefinition(widgets.group));
  await awaitObject(client, CRDS, undefined, crd, isEstablished);
  // Established is said before the storage is there: a list is then answered with 429, "storage is (re)initializing".
  await waitUntil("the API server to list widgets", 30_000, () =>
    client.list(widgets, "default").then(
      () => true,
      (error) => {
        if (isRetryable(error)) return false;
        throw error;
      },
    ),
  );
  return {
    client,
    widgets,
    async makeNamespace() {
      const name = randomName("contract");
      await client.create(NAMESPACES, undefined, { metadata: { name, labels: MADE_BY_TESTS } });
      namespaces.push(name);
      await awaitObject(client, SERVICE_ACCOUNTS, name, "default", () => true);
      return name;
    },
    async [Symbol.asyncDispose]() {
      const options = { propagationPolicy: "Background" } as const;
      await Promise.all(namespaces.map((name) => client.delete(NAMESPACES, undefined, name, options)));
      await client.delete(CRDS, undefined, crd, options);
      await client.close();
    },
  };
}

/** A token of a new ServiceAccount; it is good as long as the Secret of the same name is there. */
export async function makeToken(client: KubeClient, namespace: string, name: string): Promise<string> {
  await client.create(SERVICE_ACCOUNTS, namespace, { metadata: { name } });
  const annotations = { "kubernetes.io/service-account.name": name };
  const secret = { metadata: { name, annotations }, type: "kubernetes.io/service-account-token" };
  const { metadata } = await client.create<StoredObject>(SECRETS, namespace, secret);
  const query = { fieldSelector: `metadata.name=${name}`, resourceVersion: metadata.resourceVersion, signal: AbortSignal.timeout(20_000) };
  for await (const { object } of client.watch<StoredObject>(SECRETS, namespace, query)) {
    if (object.data?.token) return Buffer.from(object.data.token, "base64").toString("utf8");
  }
  throw new Error("the watch ended before there was a token");
}

/** Watches one object until it is as wanted. */
async function awaitObject(
  client: KubeClient,
  resource: Resource,
  namespace: string | undefined,
  name: string,
  isReady: (object: StoredObject) => boolean,
): Promise<void> {
  const fieldSelector = `metadata.name=${name}`;
  const { items, metadata } = await client.list<StoredObject>(resource, namespace, { fieldSelector });
  if (items.some(isReady)) return;
  const signal = AbortSignal.timeout(60_000);
  for await (const { type, object } of client.watch<StoredObject>(resource, namespace, {
    fieldSelector,
    resourceVersion: metadata.resourceVersion,
    signal,
  })) {
    if (type !== "BOOKMARK" && isReady(object)) return;
  }
}

function isEstablished({ status }: StoredObject): boolean {
  return (status?.conditions ?? []).some((each: { type: string; status: string }) => each.type === "Established" && each.status === "True");
}

const WIDGET_SCHEMA = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: { size: { type: "integer", minimum: 1, maximum: 10 }, colour: { type: "string" } },
      "x-kubernetes-validations": [{ rule: "self.size < 11", message: "too large" }],
    },
    status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  },
};

function renderWidgetDefinition(group: string): object {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `widgets.${group}`, labels: MADE_BY_TESTS },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: WIDGET_SCHEMA },
        },
      ],
    },
  };
}
