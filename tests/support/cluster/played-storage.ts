import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KubeClient, loadKubeClient } from "../../../src/kube/client/kube-client.ts";
import type { Resource } from "../../../src/kube/client/resource.ts";
import { coerceError } from "../../../src/runtime/errors.ts";
import { defineSnapshots, SNAPSHOTS } from "./snapshot-definitions.ts";

const CLAIMS: Resource = { group: "", version: "v1", plural: "persistentvolumeclaims" };
const VOLUMES: Resource = { group: "", version: "v1", plural: "persistentvolumes" };
const EVENTS: Resource = { group: "", version: "v1", plural: "events" };
const CLASSES: Resource = { group: "storage.k8s.io", version: "v1", plural: "storageclasses" };

interface Claim {
  metadata: { name: string; uid: string };
  spec: {
    storageClassName?: string;
    volumeName?: string;
    dataSource?: { kind: string; name: string };
    resources: { requests: { storage: string } };
  };
}

/** Plays a storage driver that can clone and take snapshots: a volume is a directory of this machine, which is the node's as well. */
export interface PlayedStorage extends AsyncDisposable {
  readonly className: string;
  /** The directory of a bound claim. */
  directoryOf(claim: string): string | undefined;
  /** Copies a claim's directory, and makes the VolumeSnapshot. */
  snapshot(name: string, claim: string): Promise<void>;
  /** Volumes of claims that are gone and of such as are there. */
  volumes(): Promise<string[]>;
  /** No volume is made until what is returned is called. */
  hold(): () => void;
}

/** For the claims of one namespace. */
export async function playStorage(options: { kubeconfig: string; namespace: string; node: string }): Promise<PlayedStorage> {
  const { namespace, node } = options;
  const client = await loadKubeClient({ kubeconfig: options.kubeconfig });
  const root = await mkdtemp(join(tmpdir(), "th-storage-"));
  const className = `${namespace}-played`;
  const stopping = new AbortController();
  const directories = new Map<string, string>();
  const snapshots = new Map<string, string>();
  const failures: Error[] = [];
  let held = Promise.resolve();

  const seen = new Set<string>();
  const gone = new Set<string>();
  const noteClaim = async (claim: Claim) => {
    const { uid, name } = claim.metadata;
    if (claim.spec.storageClassName !== className || claim.spec.volumeName !== undefined || seen.has(uid)) return;
    seen.add(uid);
    await held;
    if (gone.has(uid)) return;
    const source = findSource(claim, directories, snapshots);
    if ("problem" in source) return tell(client, namespace, claim, source.problem);
    const directory = join(root, uid);
    if (source.directory === undefined) await mkdir(directory);
    else await cp(source.directory, directory, { recursive: true });
    directories.set(name, directory);
    await client.create(VOLUMES, undefined, renderVolume({ name: `played-${uid}`, claim, namespace, className, directory, node }));
  };
  /** A driver deletes the volume after its claim. */
  const noteGone = async ({ metadata: { name, uid } }: Claim) => {
    gone.add(uid);
    await client.delete(VOLUMES, undefined, `played-${uid}`, { propagationPolicy: "Background" });
    directories.delete(name);
    await rm(join(root, uid), { recursive: true, force: true });
  };

  await defineSnapshots(client);
  await client.create(CLASSES, undefined, { metadata: { name: className }, provisioner: "played.turbo-hipster.io/storage" });
  const pending = new Set<Promise<void>>();
  const watching = watchClaims(client, namespace, stopping.signal, (type, claim) => {
    const work = (type === "DELETED" ? noteGone(claim) : noteClaim(claim)).catch((error) => void failures.push(coerceError(error)));
    pending.add(work);
    void work.then(() => pending.delete(work));
  });

  return {
    className,
    directoryOf: (claim) => directories.get(claim),
    async snapshot(name, claim) {
      const from = directories.get(claim);
      if (from === undefined) throw new Error(`claim ${claim} is not bound`);
      const directory = join(root, `snapshot-${name}`);
      await cp(from, directory, { recursive: true });
      snapshots.set(name, directory);
      const spec = { source: { persistentVolumeClaimName: claim } };
      const apiVersion = `${SNAPSHOTS.group}/${SNAPSHOTS.version}`;
      await client.create(SNAPSHOTS, namespace, { apiVersion, kind: "VolumeSnapshot", metadata: { name }, spec });
    },
    async volumes() {
      if (failures.length > 0) throw failures[0];
      return (await readdir(root)).filter((name) => !name.startsWith("snapshot-"));
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await watching;
      await Promise.all(pending);
      const { items } = await client.list<{ metadata: { name: string } }>(VOLUMES, undefined, {});
      const ours = items.filter(({ metadata }) => [...seen].some((uid) => metadata.name === `played-${uid}`));
      for (const { metadata } of ours) await client.delete(VOLUMES, undefined, metadata.name, { propagationPolicy: "Background" });
      await client.delete(CLASSES, undefined, className, { propagationPolicy: "Background" });
      await client.close();
      await rm(root, { recursive: true, force: true });
      if (failures.length > 0) throw failures[0];
    },
  };
}

type Source = { directory: string | undefined } | { problem: string };

/** What the CSI sidecar external-provisioner says where it cannot (pkg/controller/controller.go). */
function findSource({ spec }: Claim, claims: ReadonlyMap<string, string>, snapshots: ReadonlyMap<string, string>): Source {
  if (!spec.dataSource) return { directory: undefined };
  const { kind, name } = spec.dataSource;
  const isSnapshot = kind === "VolumeSnapshot";
  const directory = (isSnapshot ? snapshots : claims).get(name);
  const by = `failed to provision volume with StorageClass "${spec.storageClassName}": error getting handle for DataSource Type ${kind} by Name ${name}: `;
  if (directory === undefined) {
    const what = isSnapshot
      ? `snapshot ${name} from api server: volumesnapshots.snapshot.storage.k8s.io`
      : `PVC ${name} from api server: persistentvolumeclaims`;
    return { problem: `${by}error getting ${what} "${name}" not found` };
  }
  if (spec.resources.requests.storage === "1Mi") {
    return { problem: `${by}requested volume size 1048576 is less than the size 1073741824 for the source snapshot ${name}` };
  }
  return { directory };
}

async function tell(client: KubeClient, namespace: string, { metadata: { name, uid } }: Claim, message: string): Promise<void> {
  await client.create(EVENTS, namespace, {
    metadata: { generateName: `${name}.` },
    involvedObject: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid },
    ...{ type: "Warning", reason: "ProvisioningFailed", message, lastTimestamp: new Date().toISOString() },
  });
}

function renderVolume(volume: {
  name: string;
  claim: Claim;
  namespace: string;
  className: string;
  directory: string;
  node: string;
}): object {
  const { name, claim, namespace, className, directory, node } = volume;
  const { name: claimName, uid } = claim.metadata;
  const hostname = { key: "kubernetes.io/hostname", operator: "In", values: [node] };
  return {
    metadata: { name },
    spec: {
      accessModes: ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
      capacity: claim.spec.resources.requests,
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: claimName, uid },
      local: { path: directory },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [hostname] }] } },
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: className,
    },
  };
}

async function watchClaims(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
  note: (type: string, claim: Claim) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { items, metadata } = await client.list<Claim>(CLAIMS, namespace, { signal });
      for (const claim of items) note("ADDED", claim);
      const from = { resourceVersion: metadata.resourceVersion, signal };
      for await (const { type, object } of client.watch<Claim>(CLAIMS, namespace, from)) if (type !== "BOOKMARK") note(type, object);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
