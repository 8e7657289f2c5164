import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DELIVERED_ANNOTATION, VERDICT_ANNOTATION } from "../../../src/core/kubernetes/labels.ts";
import { type Lease, replicaLeaseName } from "../../../src/core/replicas/leadership.ts";
import { JOBS, LEASES, TEST_TASKS } from "../../../src/kube/client/resource.ts";
import { startOperator } from "../../support/cluster/operator-process.ts";
import { startFakeKube } from "../../support/fake-kube/fake-kube.ts";
import { playNode } from "../../support/fake-kube/play-node.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { connectTestClient, submitBuild, untilStatus } from "../gearman/worker/link-harness.ts";

test("turbo-hipster operator tells its metrics on the internal port only, calls to the API server included", async () => {
  await using kube = await startFakeKube();
  kube.create(TEST_TASKS, "ci", { metadata: { name: "unit" }, spec: { image: "a" } });
  await using gearmand = await startGearmand();
  const config = { namespaces: ["ci"], gearman: { servers: [gearmand.address] } };
  await using operator = await startOperator({ kubeconfig: kube.kubeconfig, config });
  const { ports } = (await operator.logged("starts")) as { ports: { internal: number; public: number } };
  const get = (port: number) => fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: "close" } });
  const scraped = await get(ports.internal);
  assert.match(scraped.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(await scraped.text(), /^turbo_hipster_api_calls_total\{verb="list",resource="jobs",code="200"\} [1-9]\d*$/m);
  const refused = await get(ports.public);
  await refused.text();
  assert.equal(refused.status, 404);
});

test("turbo-hipster operator logs debug lines from SIGUSR2 to SIGUSR2, and goes on", async () => {
  await using kube = await startFakeKube();
  await using gearmand = await startGearmand();
  const config = { namespaces: ["ci"], gearman: { servers: [gearmand.address] } };
  await using operator = await startOperator({ kubeconfig: kube.kubeconfig, config });
  const changed = (logLevel: string) => operator.logged("changes what is logged", (line) => line.logLevel === logLevel);
  assert.equal(operator.lines.filter(({ level }) => level === "debug").length, 0);
  operator.child.kill("SIGUSR2");
  await changed("debug");
  kube.create(TEST_TASKS, "ci", { metadata: { name: "unit" }, spec: { image: "a" } });
  await operator.logged("opened a connection");
  operator.child.kill("SIGUSR2");
  await changed("info");
  assert.equal(await operator.stop(), 0);
});

/** An operator with a build whose test runs until `finish`. */
async function startRunning(drain: string) {
  await using stack = new AsyncDisposableStack();
  const kube = stack.use(await startFakeKube());
  const finished = Promise.withResolvers<void>();
  stack.use(playNode(kube, () => ({ finished: finished.promise })));
  kube.create(TEST_TASKS, "ci", { metadata: { name: "unit" }, spec: { image: "a" } });
  const gearmand = stack.use(await startGearmand());
  const config = { namespaces: ["ci"], gearman: { servers: [gearmand.address] }, drain };
  const operator = stack.use(await startOperator({ kubeconfig: kube.kubeconfig, config }));
  const client = stack.use(await connectTestClient(gearmand));
  const submit = (unique: string) => submitBuild(client, "build:unit", unique);
  const build = submit("running");
  await operator.logged("build reached a new state", ({ state }) => state === "running");
  const { replica } = await operator.logged("is ready");
  const own = stack.move();
  return {
    ...{ kube, gearmand, operator, build, submit, finish: () => finished.resolve() },
    /** Of whom the Leases speak: of the installation's holder, and of the replica itself. */
    leases: () =>
      ["turbo-hipster", replicaLeaseName("turbo-hipster", String(replica))].map(
        (name) => (kube.find(LEASES, "ci", name) as Lease | undefined)?.spec?.holderIdentity,
      ),
    /** Whether the one Job that there is has been answered for. */
    answered: () => {
      const [job, ...others] = kube.list(JOBS, "ci");
      assert.deepEqual(others, []);
      return [VERDICT_ANNOTATION, DELIVERED_ANNOTATION].map((name) => job?.metadata.annotations?.[name] !== undefined);
    },
    replica,
    [Symbol.asyncDispose]: () => own.disposeAsync(),
  };
}

describe("turbo-hipster operator, told to stop,", () => {
  test("gives the taking of builds away, stays registered until its own have ended, and exits with 0", async () => {
    await using scene = await startRunning("10m");
    const { operator, build, gearmand } = scene;
    assert.deepEqual(scene.leases(), [scene.replica, scene.replica]);
    operator.child.kill("SIGTERM");
    assert.equal((await operator.logged("ends the builds under way")).builds, 1);
    assert.deepEqual(scene.leases(), ["", scene.replica]);
    const { ports } = (await operator.logged("starts")) as { ports: { internal: number } };
    const readiness = await fetch(`http://127.0.0.1:${ports.internal}/readyz`, { headers: { connection: "close" } });
    assert.match(await readiness.text(), /^ok, stands by\n/);
    scene.submit("waiting");
    const status = await untilStatus(gearmand, (functions) => functions.get("build:unit")?.total === 2);
    assert.deepEqual(status.get("build:unit")?.running, 1);
    assert.ok((status.get("build:unit")?.workers ?? 0) > 0);
    scene.finish();
    assert.equal((await build.end()).kind, "complete");
    assert.deepEqual(await operator.child.exited, { code: 0, signal: null });
    assert.deepEqual(scene.answered(), [true, true]);
    assert.deepEqual(scene.leases(), ["", undefined]);
  });

  test("leaves builds that outlast its time for that to the next replica, and exits with 0", async () => {
    await using scene = await startRunning("1s");
    scene.operator.child.kill("SIGTERM");
    assert.equal((await scene.operator.logged("leaves builds to the next replica")).builds, 1);
    assert.deepEqual(await scene.operator.child.exited, { code: 0, signal: null });
    assert.deepEqual(scene.answered(), [false, false]);
    assert.deepEqual(scene.leases(), ["", undefined]);
  });

  test("leaves them at the second signal, whichever of the two, and exits with 0", async () => {
    await using scene = await startRunning("10m");
    scene.operator.child.kill("SIGTERM");
    await scene.operator.logged("ends the builds under way");
    scene.operator.child.kill("SIGINT");
    assert.deepEqual(await scene.operator.child.exited, { code: 0, signal: null });
    await scene.operator.logged("leaves its builds to the next replica", ({ signal }) => signal === "SIGINT");
    assert.deepEqual(scene.answered(), [false, false]);
    assert.deepEqual(scene.leases(), ["", undefined]);
    const { kind } = scene.build.events.items.at(-1) ?? {};
    assert.notEqual(kind, "fail", "the server hands it out again");
  });

  test("is killed by the third signal, should the API server not let it end, and exits with 1", async () => {
    await using scene = await startRunning("10m");
    const { kube, operator } = scene;
    kube.misbehave({ verb: "delete", resource: "leases" }, { kind: "hang" }, Number.POSITIVE_INFINITY);
    const ending = kube.nextCall({ verb: "delete", resource: "leases" }, "arrived");
    operator.child.kill("SIGTERM");
    await operator.logged("ends the builds under way");
    operator.child.kill("SIGTERM");
    await ending;
    operator.child.kill("SIGTERM");
    assert.deepEqual(await operator.child.exited, { code: 1, signal: null });
    assert.deepEqual(scene.answered(), [false, false]);
  });

  test("ends in a few seconds and with 0 while nothing answers, ready or not", async () => {
    await using kube = await startFakeKube();
    const config = { namespaces: ["ci"], gearman: { servers: ["127.0.0.1:1"] }, drain: "10m" };
    await using ready = await startOperator({ kubeconfig: kube.kubeconfig, config });
    kube.misbehave({}, { kind: "hang" }, Number.POSITIVE_INFINITY);
    await using early = await startOperator({ kubeconfig: kube.kubeconfig, config, until: "starts" });
    assert.deepEqual([await ready.stop(15_000), await early.stop(15_000)], [0, 0]);
  });
});
