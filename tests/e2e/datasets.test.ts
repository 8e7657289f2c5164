import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { type PlayedStorage, playStorage } from "../support/cluster/played-storage.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { startZuulLauncher, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("datasets");
const WAIT_MS = 120_000;

/** Notes itself in its copy, and waits until the test lets it go on. */
const CHANGE_IT = `
cd "$TH_DATASET_DIR"
echo "$TH_BUILD_ID" >>migrations
until [ -e go-on ]; do sleep 0.2; done
cat migrations
[ "$(cat migrations)" = "205
$TH_BUILD_ID" ]
`;
const READ_IT = `
cat "$TH_DATASET_DIR/migrations"
[ "$(cat "$TH_DATASET_DIR/migrations")" = 205 ]
if touch "$TH_DATASET_DIR/mine" 2>/dev/null; then echo "could write"; exit 1; fi
`;
const READ_COPY = `
grep '"name": "turbo-hipster"' "$TH_DATASET_DIR/package.json"
echo changed >"$TH_DATASET_DIR/package.json"
`;

let storage: PlayedStorage;
let server: GearmanServer;
let operator: OperatorProcess;
let zuul: ZuulLauncher;

const claimsOfBuilds = async () =>
  (await context.kubectl("get", "persistentvolumeclaims", "--namespace", context.namespace, "--output", "name"))
    .split("\n")
    .filter((name) => name.endsWith("-th-dataset"));

/** Each task has one dataset, of its own name. */
function renderTask(name: string, dataset: object, spec: object = {}): object {
  return {
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name },
    spec: { image: context.image, datasets: [{ name, version: "205", ...dataset }], ...spec },
  };
}

async function setUp(): Promise<void> {
  const { cluster, namespace, kubectl, image } = context;
  await kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted");
  storage = await playStorage({ kubeconfig: cluster.kubeconfig, namespace, node: cluster.name });
  const storageClassName = storage.className;
  const resources = { requests: { storage: "10Mi" } };
  await context.apply(
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "nova" },
      spec: { storageClassName, accessModes: ["ReadWriteOnce"], resources },
    },
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "nova" }, data: { migrations: "205\n" } },
  );
  await waitUntil("the source to be there", WAIT_MS, async () => storage.directoryOf("nova") !== undefined);
  const source = storage.directoryOf("nova") ?? "";
  await writeFile(join(source, "migrations"), "205\n");
  // Nothing but how it is mounted keeps anybody from writing there.
  await chmod(source, 0o777);
  await storage.snapshot("nova-205", "nova");
  const copied = { size: "10Mi", storageClassName };
  const persistentVolumeClaim = { claimName: "nova" };
  await context.apply(
    renderTask("clone", { ...copied, persistentVolumeClaim }, { script: CHANGE_IT }),
    renderTask("snapshot", { ...copied, volumeSnapshot: { name: "nova-205" } }, { script: CHANGE_IT }),
    renderTask("claim", { persistentVolumeClaim: { ...persistentVolumeClaim, readOnly: true } }, { script: READ_IT }),
    renderTask("settings", { configMap: { name: "nova" } }, { script: READ_IT }),
    renderTask("image", { image: { reference: image, path: "/opt/turbo-hipster" }, size: "1Gi" }, { script: READ_COPY }),
    renderTask("no-snapshot", { ...copied, volumeSnapshot: { name: "nova-206" } }, { script: "exit 0" }),
    renderTask("too-big", { ...copied, volumeSnapshot: { name: "nova-205" }, size: "1Mi" }, { script: "exit 0" }),
    renderTask("no-claim", { persistentVolumeClaim: { claimName: "nowa", readOnly: true } }, { script: "exit 0" }),
    renderTask("no-settings", { configMap: { name: "nowa" } }, { script: "exit 0" }),
    renderTask("no-directory", { image: { reference: image, path: "/nowhere" } }, { script: "exit 0" }),
    renderTask(
      "elsewhere",
      { configMap: { name: "nova" }, projects: ["openstack/glance"] },
      { script: "exit 1", whenNoDataset: "succeed" },
    ),
  );
  server = await startGearmand();
  operator = await startOperator({
    kubeconfig: cluster.kubeconfig,
    config: { installation: "datasets", namespaces: [namespace], image, keepJobs: "1s", gearman: { servers: [server.address] } },
  });
  zuul = await startZuulLauncher({ server: server.address });
  await kubectl("--namespace", namespace, "wait", "testtask", "--all", "--for=condition=TemplateValid", "--timeout=60s");
}

async function tearDown(): Promise<void> {
  await zuul?.stop();
  await operator?.stop();
  await server?.stop();
  await storage?.[Symbol.asyncDispose]();
}

/** Of the pod of this build: what is written into it, the pod sees. */
async function copyOf(number: string): Promise<string> {
  const pod = () =>
    context.kubectl("get", "pods", "--namespace", context.namespace, "--selector", `job-name=${number}`, "--output", "name");
  let directory: string | undefined;
  await waitUntil(`the copy of ${number}`, WAIT_MS, async () => {
    directory = storage.directoryOf(`${(await pod()).trim().replace(/^pod\//, "")}-th-dataset`);
    return directory !== undefined;
  });
  return directory ?? "";
}

async function awaitMark(directory: string, number: string): Promise<void> {
  await waitUntil(`build ${number} to change its copy`, WAIT_MS, async () =>
    (await readFile(join(directory, "migrations"), "utf8").catch(() => "")).includes(number),
  );
}

describe("a build's dataset", () => {
  before(setUp);
  after(tearDown);

  test("that is cloned or restored is its own: two builds at once change theirs, and neither the other's nor the source", async () => {
    const builds = ["clone", "clone", "snapshot"].map((job) => zuul.launch({ job }));
    // The snapshot is as of before.
    const numbers = await Promise.all(builds.map(async ({ started }) => String((await started).number)));
    const copies = await Promise.all(numbers.map(copyOf));
    assert.equal(new Set(copies).size, 3);
    await Promise.all(numbers.map((number, index) => awaitMark(copies[index] ?? "", number)));
    for (const copy of copies) await writeFile(join(copy, "go-on"), "");
    const results = await Promise.all(builds.map(async ({ completed }) => (await completed).result));
    assert.deepEqual(results, ["SUCCESS", "SUCCESS", "SUCCESS"]);
    assert.equal(await readFile(join(storage.directoryOf("nova") ?? "", "migrations"), "utf8"), "205\n");
  });

  for (const job of ["claim", "settings", "image"]) {
    test(`that is ${job === "image" ? "an image's is a copy" : `a ${job} can only be read`}`, async () => {
      assert.equal((await zuul.launch({ job }).completed).result, "SUCCESS");
    });
  }

  test("that nothing matches is nothing to run, where the task says so", async () => {
    const completed = await zuul.launch({ job: "elsewhere" }).completed;
    assert.equal(completed.result, "SUCCESS");
    const answered = await operator.logged("answers a request without running anything");
    assert.equal(answered.text, "no dataset of TestTask elsewhere matches openstack/nova, master");
  });

  const MISSING: [job: string, result: string][] = [
    ["no-snapshot", "CONFIG_ERROR - volumesnapshots.snapshot.storage.k8s.io nova-206 not found"],
    ["too-big", "CONFIG_ERROR - dataset too big - 1073741824 bytes, and its size says 1048576 - raise it in the TestTask"],
    ["no-claim", "CONFIG_ERROR - persistentvolumeclaim nowa not found"],
    ["no-settings", "CONFIG_ERROR - configmap nowa not found"],
    ["no-directory", "CONFIG_ERROR - image of the dataset - cp - cannot stat /nowhere/. - No such file or directory"],
  ];
  test("that cannot be had is told of, each in its words", async () => {
    const ends = MISSING.map(async ([job]) => [job, (await zuul.launch({ job }).completed).result]);
    assert.deepEqual(await Promise.all(ends), MISSING);
  });

  test("is gone with its build, stopped before there was a volume, or while it ran", async () => {
    const release = storage.hold();
    const early = zuul.launch({ job: "clone" });
    const running = zuul.launch({ job: "snapshot" });
    await early.started;
    await waitUntil("the claims of both builds", WAIT_MS, async () => (await claimsOfBuilds()).length >= 2);
    await early.cancel();
    await early.completed;
    release();
    const number = String((await running.started).number);
    await awaitMark(await copyOf(number), number);
    await running.cancel();
    await running.completed;
    // All that any test here has made, and the source.
    await waitUntil("no claim to be left", WAIT_MS, async () => (await claimsOfBuilds()).length === 0);
    await waitUntil("no volume to be left but the source", WAIT_MS, async () => (await storage.volumes()).length === 1);
  });
});
