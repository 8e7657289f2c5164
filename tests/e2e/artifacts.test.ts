import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { ArtifactsRecord } from "../../src/core/artifacts/artifacts-record.ts";
import { collectorAudience } from "../../src/core/artifacts/collector-audience.ts";
import { renderJob } from "../../src/core/job/manifest.ts";
import { parseTestTask } from "../../src/core/test-task/test-task.ts";
import { readBuildFunction } from "../../src/core/zuul/function-name.ts";
import { parseParameters } from "../../src/core/zuul/parameters.ts";
import { upload } from "../../src/in-pod/collect/upload.ts";
import { type KubeClient, loadKubeClient } from "../../src/kube/client/kube-client.ts";
import { JOBS } from "../../src/kube/client/resource.ts";
import { TokenReviews } from "../../src/kube/objects/token-reviews.ts";
import { waitUntil } from "../../tools/machine/wait-until.ts";
import { MemorySink } from "../support/artifacts/memory-sink.ts";
import { startUploadServer } from "../support/artifacts/upload-server.ts";
import { useTestCluster } from "../support/cluster/test-cluster.ts";

const context = useTestCluster("artifacts");
const INSTALLATION = "e2e";
const AUDIENCE = collectorAudience(INSTALLATION);
const WAIT_MS = 120_000;

interface PodSight {
  metadata: { name: string; uid: string };
  status?: { phase?: string; containerStatuses?: Status[]; initContainerStatuses?: Status[] };
}
interface Status {
  name: string;
  state?: { running?: object; terminated?: { exitCode: number; reason?: string } };
}

let client: KubeClient;
let uploads: Awaited<ReturnType<typeof startUploadServer>>;
/** By number. */
const pods = new Map<string, string>();
const sinks = new Map<string, MemorySink>();
const collected = new Map<string, { record: ArtifactsRecord; pod: PodSight }>();

async function podOf(number: string): Promise<PodSight | undefined> {
  const text = await context.kubectl("--namespace", context.namespace, "get", "pods", "-l", `job-name=${number}`, "-o", "json");
  return (JSON.parse(text) as { items: PodSight[] }).items[0];
}

/** The Job as the operator makes it, and its pod once there is one. */
async function startBuild(number: string, spec: object): Promise<PodSight> {
  const parsed = parseTestTask({
    ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "unit", namespace: context.namespace } },
    spec: { image: context.image, artifacts: { paths: ["results/", "*.xml"], junit: ["*.xml"] }, ...spec },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const parameters = parseParameters(Buffer.from("{}"));
  assert.ok(parameters.ok);
  const whose = { server: "s", unique: "u", number, logPath: null, payloadHash: null, handle: null, replica: "r", since: "" };
  const job = renderJob({
    ...{ task: parsed.task, function: readBuildFunction("build:unit"), parameters: parameters.parameters, request: whose },
    settings: {
      ...{ installation: INSTALLATION, image: context.image, checkout: { allowedUrls: [] } },
      internalUrl: `http://${context.cluster.hostAddress}:${uploads.port}`,
    },
  });
  sinks.set(number, new MemorySink());
  await client.create(JOBS, context.namespace, job);
  let pod: PodSight | undefined;
  await waitUntil(`the pod of ${number}`, WAIT_MS, async () => {
    pod = await podOf(number);
    return pod !== undefined;
  });
  assert.ok(pod);
  pods.set(number, pod.metadata.uid);
  return pod;
}

/** As the operator does for a stop and for a timeout. */
async function endPod({ metadata: { name } }: PodSight): Promise<void> {
  const patch = JSON.stringify({ spec: { activeDeadlineSeconds: 1 } });
  await context.kubectl("--namespace", context.namespace, "patch", "pod", name, "-p", patch);
}

async function artifactsOf(number: string): Promise<{ files: Record<string, string>; record: ArtifactsRecord; pod: PodSight }> {
  await waitUntil(`the artifacts of ${number}`, WAIT_MS, () => collected.has(number));
  const { record, pod } = collected.get(number) ?? assert.fail();
  return { files: Object.fromEntries([...(sinks.get(number)?.files ?? [])].map(([path, bytes]) => [path, bytes.toString()])), record, pod };
}

async function runs(number: string): Promise<void> {
  await waitUntil(`${number} to run`, WAIT_MS, async () =>
    (await context.kubectl("--namespace", context.namespace, "logs", `job/${number}`, "-c", "test").catch(() => "")).includes("ready"),
  );
}

const stateOf = (pod: PodSight | undefined, name: string) =>
  [...(pod?.status?.containerStatuses ?? []), ...(pod?.status?.initContainerStatuses ?? [])].find((each) => each.name === name)?.state;

/** What the operator says to an upload with this token. */
async function answerTo(number: string, token: string): Promise<string> {
  const url = new URL(`http://${context.cluster.hostAddress}:${uploads.port}/builds/${number}/artifacts`);
  const body = async function* () {};
  const answer = upload(url, { token, body, signal: AbortSignal.timeout(30_000) });
  return answer.catch((error: Error) => /answered (\d+)/.exec(error.message)?.[1] ?? error.message);
}

describe("artifacts of a build on a real node", { concurrency: true }, () => {
  before(async () => {
    client = await loadKubeClient({ kubeconfig: context.cluster.kubeconfig });
    const reviews = new TokenReviews({ client });
    uploads = await startUploadServer({
      listen: `${context.cluster.hostAddress}:0`,
      podOf: (token, signal) => reviews.podOf(token, AUDIENCE, signal),
      findBuilds: (number) =>
        pods.has(number)
          ? [{ number, namespace: context.namespace, jobName: number, pods: [pods.get(number) ?? ""], junit: ["*.xml"] }]
          : [],
      sinkOf: ({ number }) => sinks.get(number) ?? assert.fail(),
      async collected({ number }, record) {
        collected.set(number, { record, pod: (await podOf(number)) ?? assert.fail() });
      },
    });
  });

  after(async () => {
    await uploads[Symbol.asyncDispose]();
    await client.close();
  });

  test("arrive byte for byte when its test has passed, and its pod ends", async () => {
    const bytes = "const b = Buffer.from(Array.from({ length: 3000000 }, (_, i) => (i * 7919) >> 3));";
    await startBuild("passes", {
      script: `mkdir results; cd results
node -e '${bytes} require("fs").writeFileSync(process.env.TH_ARTIFACTS_DIR + "/binary", b)'
echo one > a.txt; ln -s a.txt b.txt; mkfifo pipe
echo "<testsuite><testcase name='t'><failure message='no'/></testcase></testsuite>" > ../r.xml
echo secret > ../not-asked-for`,
    });
    const { files, record, pod } = await artifactsOf("passes");
    assert.deepEqual(
      Object.keys(files).toSorted((a, b) => a.localeCompare(b)),
      ["binary", "r.xml", "results/a.txt"],
    );
    const expected = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) >> 3));
    const hash = (of: Buffer) => createHash("sha256").update(of).digest("hex");
    assert.equal(hash(sinks.get("passes")?.files.get("binary") ?? Buffer.alloc(0)), hash(expected));
    assert.equal(files["results/a.txt"], "one\n");
    assert.deepEqual(new Set(record.leftOut.map(({ name }) => name)), new Set(["results/b.txt", "results/pipe"]));
    assert.deepEqual([record.junit?.tests, record.junit?.failures], [1, 1]);
    assert.deepEqual(stateOf(pod, "test")?.terminated?.exitCode, 0);
    await waitUntil("the pod to end", WAIT_MS, async () => (await podOf("passes"))?.status?.phase === "Succeeded");
    assert.equal(stateOf(await podOf("passes"), "collector")?.terminated?.exitCode, 0);
  });

  test("arrive when its test was out of memory", async () => {
    await startBuild("out-of-memory", {
      resources: { limits: { memory: "100Mi" } },
      script: 'echo left > "$TH_ARTIFACTS_DIR/left"; exec node -e "const all = []; for (;;) all.push(Buffer.alloc(1e6, 1))"',
    });
    assert.deepEqual((await artifactsOf("out-of-memory")).files, { left: "left\n" });
    await waitUntil("the pod to end", WAIT_MS, async () => (await podOf("out-of-memory"))?.status?.phase === "Failed");
  });

  test("hold what its test wrote when it was stopped", async () => {
    const pod = await startBuild("stopped", {
      script: `trap 'echo last > "$TH_ARTIFACTS_DIR/last"; exit 1' TERM
echo ready; while :; do sleep 1; done`,
    });
    await runs("stopped");
    await endPod(pod);
    assert.deepEqual((await artifactsOf("stopped")).files, { last: "last\n" });
    await waitUntil("the pod to end", WAIT_MS, async () => (await podOf("stopped"))?.status?.phase === "Failed");
  });

  test("are taken from its own pod alone", async () => {
    const pod = await startBuild("guarded", { script: "echo ready; sleep 100000" });
    const other = await startBuild("other", { script: "echo ready; sleep 100000" });
    const mint = async (...flags: string[]) =>
      (await context.kubectl("--namespace", context.namespace, "create", "token", "default", ...flags)).trim();
    const boundTo = ({ metadata: { name, uid } }: PodSight) => [
      "--bound-object-kind=Pod",
      `--bound-object-name=${name}`,
      `--bound-object-uid=${uid}`,
    ];
    const audience = `--audience=${AUDIENCE}`;
    const answers = {
      own: await answerTo("guarded", await mint(audience, ...boundTo(pod))),
      otherPod: await answerTo("guarded", await mint(audience, ...boundTo(other))),
      otherAudience: await answerTo("guarded", await mint(...boundTo(pod))),
      otherInstallation: await answerTo("guarded", await mint(`--audience=${collectorAudience("x")}`, ...boundTo(pod))),
      noPod: await answerTo("guarded", await mint(audience)),
      nonsense: await answerTo("guarded", "eyJh.e30.x"),
    };
    // Of its own an empty archive, which is none: it came through.
    assert.deepEqual(answers, {
      own: "400",
      otherPod: "403",
      otherAudience: "401",
      otherInstallation: "401",
      noPod: "401",
      nonsense: "401",
    });
    for (const each of [pod, other]) await endPod(each);
  });

  test("arrive while its test takes no notice of its end, once its own grace is over", async () => {
    // An image's own command: who runs a script ends it.
    const script = `trap '' TERM; echo so far > "$TH_ARTIFACTS_DIR/so-far"; echo ready; while :; do sleep 1; done`;
    const template = { spec: { terminationGracePeriodSeconds: 3, containers: [{ name: "test", command: ["sh", "-c", script] }] } };
    const pod = await startBuild("ignores-term", {
      ...{ template, timeouts: { collect: "30s" } },
    });
    await runs("ignores-term");
    await endPod(pod);
    const artifacts = await artifactsOf("ignores-term");
    assert.deepEqual(artifacts.files, { "so-far": "so far\n" });
    assert.ok(stateOf(artifacts.pod, "test")?.running, "the test runs on");
    await waitUntil("the pod to end", WAIT_MS, async () => (await podOf("ignores-term"))?.status?.phase === "Failed");
  });
});
