import assert from "node:assert/strict";
import { before, it } from "node:test";
import { withLead } from "../../src/core/job/member.ts";
import type { Pod } from "../../src/core/kubernetes/objects.ts";
import { observeContainerRun } from "../../src/core/logs/container-run.ts";
import type { KubeClient } from "../../src/kube/client/kube-client.ts";
import { KubeError } from "../../src/kube/client/kube-error.ts";
import { JOBS, PODS } from "../../src/kube/client/resource.ts";
import type { PodScript } from "../support/fake-kube/play-node.ts";
import type { StoredObject } from "../support/fake-kube/resource-rules.ts";
import { type ContractTarget, openFakeTarget } from "./contract-target.ts";
import { describeContract } from "./describe-contract.ts";

// What a real Job controller and kubelet do with a Job, and what `playNode` plays of it for the operator's tests.

const PLAY = "contract.turbo-hipster.io/play";

describeContract({ fake: "a played node", real: "a real node" }, holdContract, () => openFakeTarget(readScript));

/** JSON as `PodScript`, but for promises: `runs: true` is a container that never ends by itself. */
interface Play extends Omit<PodScript, "finished" | "scheduled"> {
  readonly runs?: boolean;
}

function readScript(job: StoredObject): PodScript {
  const { runs, ...script } = JSON.parse(job.metadata.annotations?.[PLAY] ?? "{}") as Play;
  return runs ? { ...script, finished: new Promise(() => {}) } : script;
}

/** One container that runs `script` on a real node, and `play` on a played one. */
function job(name: string, script: string, play: Play) {
  const container = {
    name: "test",
    image: process.env.TH_TEST_IMAGE ?? "localhost/base:1",
    command: ["sh", "-c", script],
    terminationMessagePath: "/tmp/message",
  };
  const spec = { restartPolicy: "Never", automountServiceAccountToken: false, terminationGracePeriodSeconds: 5, containers: [container] };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, annotations: { [PLAY]: JSON.stringify(play) } },
    spec: { backoffLimit: 0, template: { metadata: { labels: { app: "contract" } }, spec } },
  };
}

const WAITS_FOR_TERM = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done";

function holdContract(target: ContractTarget): void {
  let client: KubeClient;
  let namespace: string;

  before(async () => {
    client = target.client;
    namespace = await target.makeNamespace();
  });

  const run = (body: object) => client.create<StoredObject>(JOBS, namespace, body);

  /** Watches the Job's pod until it is as wanted. */
  async function awaitPod(jobName: string, isWanted: (pod: StoredObject) => boolean): Promise<StoredObject> {
    const labelSelector = `batch.kubernetes.io/job-name=${jobName}`;
    const { items, metadata } = await client.list<StoredObject>(PODS, namespace, { labelSelector });
    const there = items.find(isWanted);
    if (there !== undefined) return there;
    const options = { labelSelector, ...metadata, signal: AbortSignal.timeout(30_000) };
    for await (const { type, object } of client.watch<StoredObject>(PODS, namespace, options)) {
      if (type !== "BOOKMARK" && isWanted(object)) return object;
    }
    throw new Error("the watch ended");
  }

  async function awaitNoPod(jobName: string): Promise<void> {
    const labelSelector = `batch.kubernetes.io/job-name=${jobName}`;
    const { items, metadata } = await client.list<StoredObject>(PODS, namespace, { labelSelector });
    if (items.length === 0) return;
    const options = { labelSelector, ...metadata, signal: AbortSignal.timeout(30_000) };
    for await (const { type } of client.watch<StoredObject>(PODS, namespace, options)) if (type === "DELETED") return;
  }

  async function awaitJobCondition(name: string): Promise<string[]> {
    const options = { fieldSelector: `metadata.name=${name}`, signal: AbortSignal.timeout(30_000) };
    const { items, metadata } = await client.list<StoredObject>(JOBS, namespace, options);
    const conditions = (each: StoredObject | undefined): string[] =>
      (each?.status?.conditions ?? []).map(({ type, reason }: { type: string; reason: string }) => `${type} ${reason}`);
    const isDone = (each: StoredObject | undefined) => conditions(each).some((text) => /^(Complete|Failed) /.test(text));
    if (isDone(items[0])) return conditions(items[0]);
    for await (const { type, object } of client.watch<StoredObject>(JOBS, namespace, { ...options, ...metadata })) {
      if (type !== "BOOKMARK" && isDone(object)) return conditions(object);
    }
    throw new Error("the watch ended");
  }

  const isTerminal = (pod: StoredObject) => ["Succeeded", "Failed"].includes(pod.status?.phase);
  const isRunning = (pod: StoredObject) => pod.status?.containerStatuses?.[0]?.state?.running !== undefined;
  const terminated = (pod: StoredObject) => pod.status.containerStatuses[0].state.terminated;
  const readLog = async (pod: StoredObject, options: object = {}) => {
    const stream = await client.podLog(namespace, pod.metadata.name, {
      container: "test",
      signal: AbortSignal.timeout(30_000),
      ...options,
    });
    return Buffer.concat(await Array.fromAsync(stream)).toString();
  };

  it("makes one pod for a Job, with the Job's name and uid on it, and tells success in both", async () => {
    const made = await run(job("passes", "true", {}));
    const pod = await awaitPod("passes", isTerminal);
    assert.equal(pod.status.phase, "Succeeded");
    assert.deepEqual([terminated(pod).exitCode, terminated(pod).reason], [0, "Completed"]);
    assert.match(terminated(pod).finishedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(pod.metadata.labels?.["batch.kubernetes.io/job-name"], "passes");
    assert.equal(pod.metadata.labels?.["batch.kubernetes.io/controller-uid"], made.metadata.uid);
    assert.equal(pod.metadata.labels?.app, "contract");
    const owner = pod.metadata.ownerReferences?.[0];
    assert.deepEqual([owner?.kind, owner?.name, owner?.uid, owner?.controller], ["Job", "passes", made.metadata.uid, true]);
    assert.deepEqual(await awaitJobCondition("passes"), ["SuccessCriteriaMet CompletionsReached", "Complete CompletionsReached"]);
  });

  it("tells exit code and termination message of a failure", async () => {
    await run(job("fails", "echo the reason > /tmp/message; exit 3", { exitCode: 3, message: "the reason\n" }));
    const pod = await awaitPod("fails", isTerminal);
    assert.equal(pod.status.phase, "Failed");
    assert.equal(pod.status.reason, undefined);
    assert.deepEqual([terminated(pod).exitCode, terminated(pod).reason, terminated(pod).message], [3, "Error", "the reason\n"]);
    assert.deepEqual(await awaitJobCondition("fails"), ["FailureTarget BackoffLimitExceeded", "Failed BackoffLimitExceeded"]);
  });

  it("ends a running pod whose activeDeadlineSeconds is lowered to 1 as DeadlineExceeded, even if the test then exits with 0", async () => {
    await run(job("ends", WAITS_FOR_TERM, { log: ["ready"], runs: true, exitCodeOnTerm: 0 }));
    const running = await awaitPod("ends", isRunning);
    const log = await client.podLog(namespace, running.metadata.name, {
      container: "test",
      follow: true,
      signal: AbortSignal.timeout(30_000),
    });
    for await (const chunk of log) if (String(chunk).includes("ready")) break;
    await client.mergePatch(PODS, namespace, running.metadata.name, { spec: { activeDeadlineSeconds: 1 } });
    const pod = await awaitPod("ends", isTerminal);
    assert.deepEqual([pod.status.phase, pod.status.reason], ["Failed", "DeadlineExceeded"]);
    assert.equal(terminated(pod).exitCode, 0);
    assert.equal(await readLog(pod), "ready\n");
  });

  it("takes the pods with a Job that is deleted in the background", async () => {
    await run(job("deleted", WAITS_FOR_TERM, { log: ["ready"], runs: true, exitCodeOnTerm: 0 }));
    await awaitPod("deleted", isRunning);
    await client.delete(JOBS, namespace, "deleted", { propagationPolicy: "Background" });
    await awaitNoPod("deleted");
  });

  it("takes the other Jobs of a build, and their pods, with the lead that they say they belong to", async () => {
    const play = { log: ["ready"], runs: true, exitCodeOnTerm: 0 };
    const lead = await run(job("lead-0", WAITS_FOR_TERM, play));
    const member = { index: 1, datasets: [{ name: "one" }, { name: "two" }], since: "2026-11-28T09:40:00Z" };
    const other = await run(withLead(job("lead-1", WAITS_FOR_TERM, play), member, lead));
    const { apiVersion, kind, name, uid } = (other.metadata.ownerReferences ?? [])[0] ?? {};
    assert.deepEqual([apiVersion, kind, name, uid], ["batch/v1", "Job", "lead-0", lead.metadata.uid]);
    await awaitPod("lead-1", isRunning);
    await client.delete(JOBS, namespace, "lead-0", { propagationPolicy: "Background" });
    await awaitNoPod("lead-0");
    await awaitNoPod("lead-1");
    const left = (await client.list<StoredObject>(JOBS, namespace)).items.filter(({ metadata }) => metadata.name.startsWith("lead-"));
    assert.deepEqual(left, []);
  });

  it("gives a log whole, by its tail, with timestamps, and followed to the container's end", async () => {
    await run(job("logs", "echo one; echo two; echo three", { log: ["one", "two", "three"] }));
    const pod = await awaitPod("logs", isTerminal);
    assert.equal(await readLog(pod), "one\ntwo\nthree\n");
    assert.equal(await readLog(pod, { tailLines: 1 }), "three\n");
    assert.equal(await readLog(pod, { limitBytes: 5 }), "one\nt");
    assert.match(
      await readLog(pod, { timestamps: true, tailLines: 1 }),
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d) three\n$/,
    );
    assert.equal(await readLog(pod, { follow: true }), "one\ntwo\nthree\n");
  });

  it("gives a log from a whole second on, and at most its first bytes", async () => {
    await run(job("since", "echo one; sleep 2; echo two", { log: ["one", "two"] }));
    const pod = await awaitPod("since", isTerminal);
    const [first = ""] = (await readLog(pod, { timestamps: true })).split("\n");
    // Of the fraction nothing reaches the kubelet, be it later than the line's.
    assert.match(await readLog(pod, { sinceTime: `${first.slice(0, 19)}.999999999${first.slice(29).split(" ")[0]}` }), /^one\n/);
    assert.equal((await readLog(pod, { timestamps: true, limitBytes: 31 })).length, 31);
    assert.equal(await readLog(pod, { sinceTime: "2099-01-01T00:00:00Z" }), "");
  });

  it("gives the log of the run before as well, of a service that was started again", async () => {
    const body = job("service", "while ! [ -e /shared/again ]; do sleep 0.1; done", { serviceLogs: [["first"], ["second"]] });
    const script = `[ -e /shared/first ] || { touch /shared/first; echo first; exit 1; }; echo second; touch /shared/again; ${WAITS_FOR_TERM}`;
    await run({ ...body, spec: withService(body.spec, script.replace("echo ready; ", "")) });
    const pod = await awaitPod("service", isTerminal);
    const container = "service";
    assert.equal(await readLog(pod, { container }), "second\n");
    // A node clears up after a pod that has ended, and says with 200 that it has no more: for whoever follows it, words that no container printed.
    assert.match(await readLog(pod, { container, previous: true }), /^(first\n|unable to retrieve container logs for \w+:\/\/\w+)$/);
    const seen = observeContainerRun(pod as Pod, container);
    assert.deepEqual([seen?.attempt, seen?.mayBeRepeated], [1, true]);
    await assert.rejects(readLog(pod, { previous: true }), (error) => {
      assert.ok(error instanceof KubeError && error.status === 400, String(error));
      assert.match(error.message, /previous terminated container "test" in pod ".*" not found/);
      return true;
    });
  });

  it("says of the log of a pod that is not there that the pod is not", async () => {
    await assert.rejects(client.podLog(namespace, "none", { container: "test", signal: AbortSignal.timeout(30_000) }), (error) => {
      assert.ok(error instanceof KubeError && error.status === 404, String(error));
      assert.equal(error.kind, "pods");
      return true;
    });
  });

  it("refuses the log of a container that has not started with 400", async () => {
    const body = job("pulls", "true", { waiting: { reason: "ErrImageNeverPull" } });
    await run({ ...body, spec: withMissingImage(body.spec) });
    const pod = await awaitPod("pulls", (each) => each.status?.containerStatuses?.[0]?.state?.waiting !== undefined);
    await assert.rejects(readLog(pod), (error) => {
      assert.ok(error instanceof KubeError && error.status === 400, String(error));
      assert.match(error.message, /container "test" in pod ".*" is waiting to start/);
      return true;
    });
  });
}

function withService(spec: ReturnType<typeof job>["spec"], script: string) {
  const [container] = spec.template.spec.containers;
  const volumeMounts = [{ name: "shared", mountPath: "/shared" }];
  const service = { ...container, name: "service", command: ["sh", "-c", script], restartPolicy: "Always", volumeMounts };
  const containers = [Object.assign({}, container, { volumeMounts })];
  const podSpec = { ...spec.template.spec, initContainers: [service], containers, volumes: [{ name: "shared", emptyDir: {} }] };
  return { ...spec, template: { ...spec.template, spec: podSpec } };
}

function withMissingImage(spec: ReturnType<typeof job>["spec"]) {
  const [container] = spec.template.spec.containers;
  const containers = [Object.assign({}, container, { image: "localhost/none:1", imagePullPolicy: "Never" })];
  return { ...spec, template: { ...spec.template, spec: { ...spec.template.spec, containers } } };
}
