import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type BuildFile, parseBuildFile } from "../../src/core/logs/build-file.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { type OperatorProcess, startOperator } from "../support/cluster/operator-process.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";
import { findFreePort } from "../support/free-port.ts";
import type { GearmanServer } from "../support/gearman/gearman-server.ts";
import { startGearmand } from "../support/gearman/gearmand.ts";
import { readLiveLines } from "../support/pages/live-lines.ts";
import { type ServedFolder, serveFolder } from "../support/pages/serve-folder.ts";
import { BUCKET, S3_CREDENTIALS, type S3Server, startS3Server } from "../support/s3/s3-server.ts";
import { startZuulLauncher, type ZuulBuild, type ZuulLauncher } from "../support/zuul/zuul-launcher.ts";

const context = useTestCluster("recording");
const WAIT_MS = 180_000;
const SECRET = "tr0ub4dor-and-3";
const LINES = 900;
/** What the test prints, but for the secret. */
const lineAt = (index: number, secret: string) => `line ${index} with ${secret} in it\n`;
const PRINT = `i=0; while [ $i -lt ${LINES} ]; do echo "line $i with $PASSWORD in it"; i=$((i + 1)); sleep 0.1; done`;

let directory: string;
let gearman: GearmanServer;
let zuul: ZuulLauncher;
let s3: S3Server;
/** As a web server beside the installation serves the store's directory. */
let storedPages: ServedFolder;
const operators = new Map<string, OperatorProcess>();
const configs = new Map<string, object>();

/** An installation of its own, with a namespace of its own. */
async function start(name: string): Promise<OperatorProcess> {
  const operator = await startOperator({ kubeconfig: context.cluster.kubeconfig, config: configs.get(name) ?? {} });
  operators.set(name, operator);
  return operator;
}

async function kill(name: string): Promise<void> {
  const operator = operators.get(name) ?? assert.fail();
  operator.child.kill("SIGKILL");
  await operator.child.exited;
}

async function configure(name: string, logs: object): Promise<string> {
  const namespace = `${context.namespace}-${name}`;
  await context.makeNamespace(namespace);
  const port = await findFreePort(context.cluster.hostAddress);
  const pages = `127.0.0.1:${await findFreePort("127.0.0.1")}`;
  configs.set(name, {
    ...{ installation: `recording-${name}`, namespaces: [namespace], image: context.image, gearman: { servers: [gearman.address] }, logs },
    http: { public: pages, internal: `${context.cluster.hostAddress}:${port}` },
    publicUrl: `http://${pages}`,
    internalUrl: `http://${context.cluster.hostAddress}:${port}`,
  });
  return namespace;
}

async function task(namespace: string, name: string, spec: object): Promise<void> {
  await context.applyTo(namespace, {
    ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name }, spec: { image: context.image, ...spec } },
  });
}

const launch = (job: string): ZuulBuild =>
  zuul.launch({ job, attempts: 1, params: { LOG_PATH: `logs/${job}`, API_TOKEN: "shown-to-nobody" } });

async function storedOf(namespace: string, number: unknown): Promise<string> {
  let text = "";
  await waitUntil(`the stored build ${number}`, WAIT_MS, async () => {
    const job = JSON.parse(await context.kubectl("--namespace", namespace, "get", "job", String(number), "-o", "json"));
    text = job.metadata.annotations?.["turbo-hipster.io/stored"] ?? "";
    return text !== "";
  });
  return (JSON.parse(text) as { directory: string }).directory;
}

describe("builds are recorded on a real node", { concurrency: true }, () => {
  const namespaces = { files: "", s3: "" };
  let files: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-recording-"));
    files = join(directory, "files");
    const credentials = join(directory, "credentials");
    for (const path of [files, credentials]) await mkdir(path);
    for (const [name, value] of Object.entries(S3_CREDENTIALS)) await writeFile(join(credentials, name), value);
    [gearman, s3, storedPages] = await Promise.all([startGearmand(), startS3Server(), serveFolder(files)]);
    namespaces.files = await configure("files", { store: "files", directory: files, url: storedPages.url });
    namespaces.s3 = await configure("s3", { store: "s3", bucket: BUCKET, endpoint: s3.endpoint, credentialsDirectory: credentials });
    await task(namespaces.files, "prints", {
      env: [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }],
      script: PRINT,
      services: [{ name: "beside", image: context.image, command: ["sh", "-c", "echo hello; exec sleep 1000"] }],
    });
    await context.applyTo(namespaces.files, {
      ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "db" }, stringData: { password: SECRET } },
    });
    await task(namespaces.files, "leaves", {
      env: [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }],
      artifacts: { paths: ["*.xml", "results/"], junit: ["*.xml"] },
      script: `mkdir results; echo "the $PASSWORD" > results/a.txt; head -c 3000000 /dev/urandom > "$TH_ARTIFACTS_DIR/random"
sha256sum < "$TH_ARTIFACTS_DIR/random"
echo '<testsuite><testcase name="t"><failure message="it is &lt;wrong&gt;"/></testcase></testsuite>' > r.xml; exit 3`,
    });
    await task(namespaces.files, "unheeding", {
      artifacts: { paths: ["*.txt"] },
      timeouts: { run: "10s", collect: "10m" },
      template: { spec: { terminationGracePeriodSeconds: 3, containers: [{ name: "test" }] } },
      script: "trap '' TERM; echo so far > left.txt; echo begins; while :; do sleep 1; done",
    });
    await task(namespaces.s3, "outlasts", { script: "sleep 5; echo it is done" });
    await Promise.all([start("files"), start("s3")]);
    zuul = await startZuulLauncher({ server: gearman.address, patient: true });
  });

  after(async () => {
    await zuul?.stop();
    for (const operator of operators.values()) await operator.stop();
    await gearman?.stop();
    await s3?.[Symbol.asyncDispose]();
    await storedPages?.[Symbol.asyncDispose]();
    for (const namespace of Object.values(namespaces))
      if (namespace) await context.kubectl("delete", "namespace", namespace, "--wait=false");
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  const read = (path: string) => readFile(join(files, path), "utf8");
  const readBuild = async (folder: string): Promise<BuildFile> => parseBuildFile(await read(`${folder}/build.json`)) ?? assert.fail();

  test("a log is byte for byte what was printed, but for the secret, with the operator killed twice meanwhile", async () => {
    const build = launch("prints");
    const { number, url } = await build.started;
    // What a reviewer sees who opens Zuul's link meanwhile, and lets it stand open.
    assert.ok(url);
    const open = async () => (await fetch(url, { headers: { connection: "close" } })).text();
    await waitUntil("a line on the live page", WAIT_MS, async () => /line \d+ with \*\*\* in it/.test(await open()));
    const stream = `${url.replace("/builds/", "/api/v1/builds/")}/logs/test/stream`;
    const live = readLiveLines(() => stream, { signal: AbortSignal.timeout(2 * WAIT_MS) });
    for (let kills = 0; kills < 2; kills += 1) {
      await operators.get("files")?.logged("build reached a new state", ({ build: of, state }) => of === number && state === "running");
      await systemClock.sleep(5000);
      await kill("files");
      await start("files");
    }
    const completed = await build.completed;
    assert.equal(completed.result, "SUCCESS");
    const expectedLines = Array.from({ length: LINES }, (_, index) => lineAt(index, "***").trimEnd());
    assert.deepEqual(await live, expectedLines, "a reader of the live page misses nothing, and hears nothing twice");
    // The address that reviewers get, from Zuul's own report.
    const [reported = ""] = / (http\S+) : SUCCESS/.exec(completed.review ?? "")?.slice(1) ?? [];
    assert.equal(reported, `${storedPages.url}/logs/prints/index.html`, completed.review ?? "");
    const folder = await storedOf(namespaces.files, number);
    const stored = await (await fetch(reported, { headers: { connection: "close" } })).text();
    assert.ok(stored.includes(`line ${LINES - 1} with *** in it`));
    // And the live page's stays good.
    assert.match(await open(), /<span class="badge is-success">Passed<\/span>/);
    assert.equal(folder, "logs/prints");
    const expected = expectedLines.map((line) => `${line}\n`).join("");
    assert.equal(await read(`${folder}/console.log`), expected);
    assert.equal(await read(`${folder}/beside.log`), "hello\n");
    const { build: report, logs, details, containers } = await readBuild(folder);
    assert.deepEqual([report.verdict?.class, report.verdict?.evidence?.exitCode, logs[0]?.holes], ["success", 0, []]);
    assert.deepEqual(report.times.at(-1)?.step, "ended");
    assert.equal(details?.parameters.find(({ name }) => name === "API_TOKEN")?.value, undefined);
    assert.match(containers.find(({ name }) => name === "test")?.imageId ?? "", /sha256:/);
    const page = await read(`${folder}/index.html`);
    assert.doesNotMatch(page, new RegExp(`${SECRET}|shown-to-nobody|<script`));
    assert.match(page, new RegExp(`line ${LINES - 1} with`));
    const pages = `http://127.0.0.1:${await publicPort("files")}/builds/${number}`;
    const shown = await (await fetch(`${pages}/logs/test/raw`)).text();
    assert.equal(shown, expected);
  });

  test("artifacts are stored before the answer, masked where they are text, with their junit failures", async () => {
    const { number, result } = await launch("leaves").completed;
    assert.equal(result, "FAILURE");
    const folder = await storedOf(namespaces.files, number);
    const { artifacts } = await readBuild(folder);
    assert.deepEqual(artifacts?.files.map(({ path }) => path).toSorted(), ["r.xml", "random", "results/a.txt"]);
    assert.deepEqual([artifacts?.junit?.failures, artifacts?.junit?.failed[0]?.message], [1, "it is <wrong>"]);
    assert.equal(await read(`${folder}/artifacts/results/a.txt`), "the ***\n");
    const { createHash } = await import("node:crypto");
    const hash = createHash("sha256")
      .update(await readFile(join(files, folder, "artifacts/random")))
      .digest("hex");
    assert.match(await read(`${folder}/console.log`), new RegExp(hash));
  });

  test("a test that has artifacts and takes no notice of its end is ended when its own grace is over, and all of it is stored", async () => {
    // The pod's whole grace is ten minutes longer.
    const { number, result } = await launch("unheeding").completed;
    assert.equal(result, "TIMED_OUT");
    const folder = await storedOf(namespaces.files, number);
    const { artifacts, build: report, logs } = await readBuild(folder);
    assert.deepEqual(
      artifacts?.files.map(({ path }) => path),
      ["left.txt"],
    );
    assert.deepEqual([report.verdict?.rule, logs[0]?.holes], ["run-timeout", []]);
    assert.equal(await read(`${folder}/console.log`), "begins\n");
    assert.equal(await read(`${folder}/artifacts/left.txt`), "so far\n");
  });

  test("a bucket that is away for a minute, and an operator that ends meanwhile, delay nothing and lose nothing", async () => {
    const build = launch("outlasts");
    const { number } = await build.started;
    await operators.get("s3")?.logged("build reached a new state", ({ build: of, state }) => of === number && state === "running");
    await s3.stop();
    const awaySinceMs = systemClock.monotonicMs();
    assert.equal((await build.completed).result, "SUCCESS");
    await operators.get("s3")?.logged("recorded the build", ({ build: of }) => of === number);
    await kill("s3");
    await start("s3");
    await systemClock.sleep(Math.max(0, 60_000 - (systemClock.monotonicMs() - awaySinceMs)));
    await s3.start();
    const folder = await storedOf(namespaces.s3, number);
    assert.equal(await readFile(join(s3.directory, folder, "console.log"), "utf8"), "it is done\n");
  });
});

async function publicPort(name: string): Promise<number> {
  const line = await operators.get(name)?.logged("starts");
  return ((line ?? assert.fail()).ports as { public: number }).public;
}
