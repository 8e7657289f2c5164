import { randomBytes, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { jsonPatch } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";
import type { ResourceRules, StoredObject } from "./resource-rules.ts";
import { badRequest, conflict, expired, invalid, notFound, StatusError, versionTooLarge } from "./status-error.ts";

export interface StoreChange {
  readonly version: number;
  readonly rules: ResourceRules;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: StoredObject;
  readonly before: StoredObject | undefined;
}

/** An object is a merge patch, an array a JSON patch. */
type ObjectPatch = object | readonly unknown[];

export interface DeleteRequest {
  readonly propagationPolicy?: string;
  readonly preconditions?: { uid?: string };
}

/** What etcd and the registry do: versions, optimistic locking, finalizers, history. Throws `StatusError`; returns copies. */
export interface FakeStore {
  readonly version: number;
  create(rules: ResourceRules, namespace: string | undefined, body: StoredObject, dryRun?: boolean): StoredObject;
  get(rules: ResourceRules, namespace: string | undefined, name: string): StoredObject;
  find(rules: ResourceRules, namespace: string | undefined, name: string): StoredObject | undefined;
  list(rules: ResourceRules, namespace: string | undefined): StoredObject[];
  patch(
    rules: ResourceRules,
    namespace: string | undefined,
    name: string,
    patch: ObjectPatch,
    subresource?: "status",
    dryRun?: boolean,
  ): StoredObject;
  delete(rules: ResourceRules, namespace: string | undefined, name: string, request?: DeleteRequest): StoredObject;
  /** What a kubelet or garbage collector does at the end: the object is gone whatever it had. */
  remove(rules: ResourceRules, namespace: string | undefined, name: string): void;
  /** What the scheduler does: gives a pod its node, which no patch may. */
  bind(rules: ResourceRules, namespace: string | undefined, name: string, nodeName: string): void;
  /** Changes after `version`. Throws 410 when they are compacted away, 504 for a version of the future. */
  changesSince(version: string): readonly StoreChange[];
  checkVersion(version: string): void;
  /** Called with each change as it happens. */
  subscribe(listener: (change: StoreChange) => void): () => void;
  /** Forgets all history: watches and pages from before get 410. */
  compact(): void;
  /** Jumps the version without a change, as writes to other resources do. */
  bump(): number;
  readonly compactedAt: number;
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export function makeFakeStore(): FakeStore {
  const objects = new Map<string, StoredObject>();
  const listeners = new Set<(change: StoreChange) => void>();
  let history: StoreChange[] = [];
  let version = 1000;
  let compactedAt = version;

  const keyOf = (rules: ResourceRules, namespace: string | undefined, name: string) => `${qualify(rules)}|${namespace ?? ""}|${name}`;

  function record(rules: ResourceRules, type: StoreChange["type"], object: StoredObject, before: StoredObject | undefined): StoredObject {
    version += 1;
    object.metadata.resourceVersion = String(version);
    const key = keyOf(rules, object.metadata.namespace, object.metadata.name);
    if (type === "DELETED") objects.delete(key);
    else objects.set(key, object);
    const change: StoreChange = { version, rules, type, object: structuredClone(object), before };
    history.push(change);
    for (const listener of listeners) listener(change);
    return structuredClone(object);
  }

  function read(rules: ResourceRules, namespace: string | undefined, name: string): StoredObject {
    const object = objects.get(keyOf(rules, namespace, name));
    if (object === undefined) throw notFound(qualify(rules), name);
    return object;
  }

  function checkVersion(wanted: string): void {
    if (!/^\d+$/.test(wanted)) throw badRequest(`invalid resource version "${wanted}"`);
    if (Number(wanted) > version) throw versionTooLarge(wanted, version);
    if (Number(wanted) < compactedAt) throw expired();
  }

  const store: FakeStore = {
    get version() {
      return version;
    },
    get compactedAt() {
      return compactedAt;
    },
    create(rules, namespace, body, dryRun = false) {
      const object = prepareNew(rules, namespace, body);
      const { name } = object.metadata;
      if (!NAME.test(name)) {
        const message = `Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'`;
        throw invalid(qualifyKind(rules), name, [{ field: "metadata.name", reason: "FieldValueInvalid", message }]);
      }
      if (objects.has(keyOf(rules, namespace, name))) {
        throw new StatusError(409, "AlreadyExists", `${qualify(rules)} "${name}" already exists`, { name });
      }
      const problems = rules.checkCreate?.(object) ?? [];
      if (problems.length > 0) throw invalid(qualifyKind(rules), name, problems);
      return dryRun ? object : record(rules, "ADDED", object, undefined);
    },
    get: (rules, namespace, name) => structuredClone(read(rules, namespace, name)),
    find(rules, namespace, name) {
      const object = objects.get(keyOf(rules, namespace, name));
      return object && structuredClone(object);
    },
    list(rules, namespace) {
      const prefix = namespace === undefined ? `${qualify(rules)}|` : `${qualify(rules)}|${namespace}|`;
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort((a, b) => (a < b ? -1 : 1));
      return keys.map((key) => structuredClone(objects.get(key) as StoredObject));
    },
    patch(rules, namespace, name, patch, subresource, dryRun = false) {
      const before = read(rules, namespace, name);
      const patched = (Array.isArray(patch) ? jsonPatch(before, patch) : mergePatch(before, patch)) as StoredObject;
      checkPreconditions(rules, before, patched.metadata);
      const after = keepUnwritable(rules, before, patched, subresource);
      const problems = [
        ...(after.metadata.name === name ? [] : [immutable("metadata.name")]),
        ...([undefined, before.metadata.uid].includes(patched.metadata?.uid) ? [] : [immutable("metadata.uid")]),
        ...(rules.checkUpdate?.(before, after) ?? []),
        ...(rules.isBuiltIn ? [] : (rules.checkCreate?.(after) ?? [])),
      ];
      if (problems.length > 0) throw invalid(qualifyKind(rules), name, problems);
      if (isDeepStrictEqual(before, after)) return structuredClone(before);
      if (rules.hasGeneration && !isDeepStrictEqual(before.spec, after.spec)) {
        after.metadata.generation = (before.metadata.generation ?? 0) + 1;
      }
      if (dryRun) return after;
      const isReleased = after.metadata.deletionTimestamp !== undefined && (after.metadata.finalizers ?? []).length === 0;
      return record(rules, isReleased && !rules.endsGracefully?.(after) ? "DELETED" : "MODIFIED", after, before);
    },
    delete(rules, namespace, name, request = {}) {
      const before = read(rules, namespace, name);
      const uid = request.preconditions?.uid;
      if (uid !== undefined && uid !== before.metadata.uid) {
        throw conflict(
          qualify(rules),
          name,
          `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`,
        );
      }
      if (request.propagationPolicy !== undefined && request.propagationPolicy !== "Background") {
        throw new StatusError(501, "NotImplemented", `the fake deletes with propagationPolicy Background only`);
      }
      const isHeld = (before.metadata.finalizers ?? []).length > 0 || rules.endsGracefully?.(before);
      if (!isHeld) return record(rules, "DELETED", structuredClone(before), before);
      if (before.metadata.deletionTimestamp !== undefined) return structuredClone(before);
      const after = structuredClone(before);
      after.metadata.deletionTimestamp = timestamp();
      after.metadata.deletionGracePeriodSeconds = rules.endsGracefully?.(before) ? (before.spec?.terminationGracePeriodSeconds ?? 30) : 0;
      if (rules.hasGeneration) after.metadata.generation = (before.metadata.generation ?? 0) + 1;
      return record(rules, "MODIFIED", after, before);
    },
    remove(rules, namespace, name) {
      const before = objects.get(keyOf(rules, namespace, name));
      if (before !== undefined) record(rules, "DELETED", structuredClone(before), before);
    },
    bind(rules, namespace, name, nodeName) {
      const before = read(rules, namespace, name);
      record(rules, "MODIFIED", { ...structuredClone(before), spec: { ...before.spec, nodeName } }, before);
    },
    checkVersion,
    changesSince(wanted) {
      checkVersion(wanted);
      return history.filter((change) => change.version > Number(wanted));
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    compact() {
      version += 1;
      compactedAt = version;
      history = [];
    },
    bump: () => ++version,
  };
  return store;
}

function immutable(field: string) {
  return { field, reason: "FieldValueInvalid", message: "Invalid value: field is immutable" } as const;
}

/** `jobs.batch`: as messages and RBAC name it. */
function qualify(rules: ResourceRules): string {
  return rules.group === "" ? rules.plural : `${rules.plural}.${rules.group}`;
}

function qualifyKind(rules: ResourceRules): string {
  return rules.group === "" ? rules.kind : `${rules.kind}.${rules.group}`;
}

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
export function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}

function prepareNew(rules: ResourceRules, namespace: string | undefined, body: StoredObject): StoredObject {
  const apiVersion = rules.group === "" ? rules.version : `${rules.group}/${rules.version}`;
  if (body.kind !== undefined && (body.kind !== rules.kind || body.apiVersion !== apiVersion)) {
    throw badRequest(`${body.apiVersion} ${body.kind} does not match the expected ${apiVersion} ${rules.kind}`);
  }
  const { generateName, ...metadata } = (body.metadata ?? {}) as StoredObject["metadata"] & { generateName?: string };
  if (metadata.namespace !== undefined && metadata.namespace !== namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  }
  const object = structuredClone(body);
  if (rules.hasStatus) delete object.status;
  return {
    ...object,
    apiVersion,
    kind: rules.kind,
    metadata: {
      ...metadata,
      name: metadata.name ?? (generateName === undefined ? "" : generateName + randomBytes(3).toString("hex").slice(0, 5)),
      ...(namespace === undefined ? {} : { namespace }),
      uid: randomUUID(),
      creationTimestamp: timestamp(),
      ...(rules.hasGeneration ? { generation: 1 } : {}),
    },
    ...(rules.initialStatus === undefined ? {} : { status: structuredClone(rules.initialStatus) }),
  };
}

function checkPreconditions(rules: ResourceRules, before: StoredObject, metadata: Partial<StoredObject["metadata"]> | undefined): void {
  const { name, resourceVersion } = before.metadata;
  if (metadata?.resourceVersion !== undefined && metadata.resourceVersion !== resourceVersion) {
    throw conflict(qualify(rules), name, "the object has been modified; please apply your changes to the latest version and try again");
  }
}

const UNWRITABLE = [
  "namespace",
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "generation",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
] as const;

/** Puts back what this way of writing can't change. */
function keepUnwritable(rules: ResourceRules, before: StoredObject, after: StoredObject, subresource: "status" | undefined): StoredObject {
  const metadata: StoredObject["metadata"] = { ...after.metadata };
  for (const field of UNWRITABLE) {
    if (before.metadata[field] === undefined) Reflect.deleteProperty(metadata, field);
    else Object.assign(metadata, { [field]: before.metadata[field] });
  }
  const object: StoredObject = { ...after, apiVersion: before.apiVersion, kind: before.kind, metadata };
  if (subresource === "status") return { ...before, ...(after.status === undefined ? {} : { status: after.status }) };
  if (rules.hasStatus) {
    if (before.status === undefined) delete object.status;
    else object.status = before.status;
  }
  return object;
}
