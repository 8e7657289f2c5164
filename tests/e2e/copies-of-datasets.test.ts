import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Job, KubeObject, Pod } from "../../src/core/kubernetes/objects.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { type PlayedStorage, playStorage } from "../support/cluster/played-storage.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("copies");
const WAIT_MS = 180_000;
/** Runs until it is told to go on, in its copy. */
const SCRIPT = `until [ -e "$TH_DATASET_DIR/go-on" ]; do sleep 0.2; done; [ "$TH_JOB_NAME" != fails ]`;

let storage: PlayedStorage;
let server: GearmanServer;
let operator: OperatorProcess;
let zuul: ZuulLauncher;

const start = () => {
  const { cluster, namespace, image } = context;
  const config = { installation: "copies", namespaces: [namespace], image, gearman: { servers: [server.address] } };
  return startOperator({ kubeconfig: cluster.kubeconfig, config });
};

async function list<T = KubeObject>(kind: string, ...options: string[]): Promise<T[]> {
  return JSON.parse(await context.kubectl("--namespace", context.namespace, "get", kind, "--output", "json", ...options)).items;
}
const podOf = async (job: string) => (await list<Pod>("pods", "--selector", `job-name=${job}`))[0];
const copies = async () => (await list("persistentvolumeclaims")).filter(({ metadata }) => metadata.name.endsWith("-th-dataset"));

async function setUp(): Promise<void> {
  const { cluster, namespace, apply } = context;
  storage = await playStorage({ kubeconfig: cluster.kubeconfig, namespace, node: cluster.name });
  const storageClassName = storage.className;
  const resources = { requests: { storage: "10Mi" } };
  const spec = { storageClassName, accessModes: ["ReadWriteOnce"], resources };
  await apply({ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "nova" }, spec });
  await waitUntil("the source to be there", WAIT_MS, async () => storage.directoryOf("nova") !== undefined);
  await chmod(storage.directoryOf("nova") ?? "", 0o777);
  await storage.snapshot("nova-205", "nova");
  const copied = { size: "10Mi", storageClassName };
  const datasets = [
    { name: "clone", ...copied, persistentVolumeClaim: { claimName: "nova" } },
    { name: "snapshot", ...copied, volumeSnapshot: { name: "nova-205" } },
  ];
  const task = (name: string, others: object = {}) => ({
    ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name } },
    spec: { image: context.image, script: SCRIPT, datasets, ...others },
  });
  await apply(task("migrate"), task("fails"), task("slow", { timeouts: { run: "2s" } }));
  server = await startGearmand();
  operator = await start();
  zuul = await startZuulLauncher({ server: server.address, patient: true });
}

async function tearDown(): Promise<void> {
  await zuul?.stop();
  await operator?.stop();
  await server?.stop();
  await storage?.[Symbol.asyncDispose]();
}

const numberOf = async ({ started }: ZuulBuild) => String((await started).number);

/** Launches a build, and gives its number when both its tests run. */
async function launchAndAwait(job = "migrate"): Promise<{ build: ZuulBuild; number: string }> {
  const build = zuul.launch({ job });
  const number = await numberOf(build);
  for (const name of [`${number}-0`, `${number}-1`]) {
    await waitUntil(`the pod of ${name} to run`, WAIT_MS, async () => (await podOf(name))?.status?.phase === "Running");
  }
  return { build, number };
}

async function letGo(claims: readonly string[]): Promise<void> {
  const directories = claims.flatMap((claim) => storage.directoryOf(claim) ?? []);
  // One that goes away meanwhile has nobody who waits in it.
  await Promise.all(directories.map((directory) => writeFile(join(directory, "go-on"), "").catch(() => {})));
}

/** Lets all tests go on, also of Jobs that are still to be made, until Zuul has these builds' results. */
async function resultsOf(builds: readonly ZuulBuild[]): Promise<string[]> {
  await waitUntil("the results of all builds", WAIT_MS, async () => {
    await letGo((await copies()).map(({ metadata }) => metadata.name));
    return builds.every(({ events }) => events.some(({ event }) => event === "completed"));
  });
  return Promise.all(builds.map(async ({ completed }) => (await completed).result));
}

/** What no build owns that is kept: claims without their pod, pods without their Job, Jobs that nobody has written down or without their lead. */
async function leftovers(): Promise<string[]> {
  const [claims, pods, jobs] = await Promise.all([copies(), list<Pod>("pods"), list<Job>("jobs")]);
  const kept = jobs.filter(({ spec }) => spec?.ttlSecondsAfterFinished !== undefined);
  const keptUids = new Set(kept.map(({ metadata }) => metadata.uid));
  const podUids = new Set(pods.filter((pod) => isOwned(pod, keptUids)).map(({ metadata }) => metadata.uid));
  const leads = kept.filter(({ metadata }) => metadata.annotations?.["turbo-hipster.io/delivered"] !== undefined);
  const leadUids = new Set(leads.map(({ metadata }) => metadata.uid));
  const owned: object[] = [
    ...claims.filter((claim) => isOwned(claim, podUids)),
    ...pods.filter(({ metadata }) => podUids.has(metadata.uid)),
    ...kept.filter((job) => isOwned(job, leadUids) || leadUids.has(job.metadata.uid)),
  ];
  return [...claims, ...pods, ...jobs].filter((object) => !owned.includes(object)).map(({ metadata }) => metadata.name);
}

function isOwned({ metadata }: KubeObject, uids: ReadonlySet<string | undefined>): boolean {
  return (metadata.ownerReferences ?? []).some(({ uid }) => uids.has(uid));
}

async function nothingIsLeft(): Promise<void> {
  await waitUntil("nothing to be left but what kept builds own", WAIT_MS, async () => (await leftovers()).length === 0).catch(
    async (error) => assert.fail(`${error}: ${await leftovers()}`),
  );
  assert.ok((await copies()).length > 0, "some builds are kept");
}

describe("no copy of a dataset is left but of a build that is kept: one", () => {
  before(setUp);
  after(tearDown);

  test("whose operator is killed as Jobs are made, before there are volumes, while tests run or when one has ended", async () => {
    const [runs, half, jobless, podless] = [await launchAndAwait(), await launchAndAwait(), await launchAndAwait(), await launchAndAwait()];
    await letGo([`${(await podOf(`${half.number}-0`))?.metadata.name}-th-dataset`]);
    await waitUntil("one test to end", WAIT_MS, async () => (await podOf(`${half.number}-0`))?.status?.phase === "Succeeded");
    const release = storage.hold();
    const early = zuul.launch({ job: "migrate" });
    await waitUntil("the claims of all builds", WAIT_MS, async () => (await copies()).length === 10);

    operator.child.kill("SIGKILL");
    await operator.child.exited;
    release();
    const pod = (await podOf(`${podless.number}-1`))?.metadata.name ?? "";
    await context.kubectl("--namespace", context.namespace, "delete", "job", `${jobless.number}-0`, "--wait=false");
    await context.kubectl("--namespace", context.namespace, "delete", "pod", pod, "--wait=false");
    operator = await start();
    const made = zuul.launch({ job: "migrate" });
    const number = await numberOf(made);
    await waitUntil("one of its Jobs", WAIT_MS, async () => (await list("jobs")).some(({ metadata }) => metadata.name.startsWith(number)));
    operator.child.kill("SIGKILL");
    await operator.child.exited;
    operator = await start();

    const results = await resultsOf([runs.build, half.build, jobless.build, podless.build, early, made]);
    assert.deepEqual(new Set(results), new Set(["SUCCESS"]));
    await nothingIsLeft();
  });

  test("that is stopped, runs too long or fails, or whose Jobs or pods are deleted", async () => {
    const release = storage.hold();
    const early = zuul.launch({ job: "migrate" });
    const podless = zuul.launch({ job: "migrate" });
    const [earlyNumber, podlessNumber] = [await numberOf(early), await numberOf(podless)];
    for (const name of [`${earlyNumber}-0`, `${earlyNumber}-1`, `${podlessNumber}-1`]) {
      await waitUntil(`the pod of ${name}`, WAIT_MS, async () => (await podOf(name)) !== undefined);
    }
    await early.cancel();
    await early.waitFor("answered");
    const pod = (await podOf(`${podlessNumber}-1`))?.metadata.name ?? "";
    await context.kubectl("--namespace", context.namespace, "delete", "pod", pod, "--wait=false");
    release();

    const slow = zuul.launch({ job: "slow" });
    const [stopped, leadless, memberless, fails] = [
      ...[await launchAndAwait(), await launchAndAwait(), await launchAndAwait(), await launchAndAwait("fails")],
    ] as const;
    await stopped.build.cancel();
    await stopped.build.waitFor("answered");
    const deleted = [`${leadless.number}-0`, `${memberless.number}-1`];
    await context.kubectl("--namespace", context.namespace, "delete", "job", ...deleted, "--wait=false");
    assert.equal((await slow.completed).result, "TIMED_OUT (clone, 2 of 2 datasets failed)");
    const results = await resultsOf([podless, leadless.build, memberless.build, fails.build]);
    assert.deepEqual(results, ["SUCCESS", "SUCCESS", "SUCCESS", "FAILURE (clone, 2 of 2 datasets failed)"]);
    await nothingIsLeft();
  });

  test("goes with the Job that speaks for it", async () => {
    const leads = (await list<Job>("jobs")).filter(({ metadata }) => metadata.ownerReferences === undefined);
    await context.kubectl("--namespace", context.namespace, "delete", "job", ...leads.map(({ metadata }) => metadata.name));
    await waitUntil("no object to be left", WAIT_MS, async () => (await list("jobs,pods")).length + (await copies()).length === 0);
    await waitUntil("no volume to be left but the source", WAIT_MS, async () => (await storage.volumes()).length === 1);
  });
});
