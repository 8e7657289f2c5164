import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Replicas } from "../../../../src/controllers/replicas/replicas.ts";
import { leaseLabels } from "../../../../src/core/replicas/leadership.ts";
import { type KubeClient, loadKubeClient } from "../../../../src/kube/client/kube-client.ts";
import { LEASES } from "../../../../src/kube/client/resource.ts";
import { LeaseObjects } from "../../../../src/kube/objects/lease-objects.ts";
import { type FakeKube, startFakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { makeOnlookers } from "../../../support/onlookers.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock, type SkippingClock } from "../../../support/skipping-clock.ts";

const NEVER = new AbortController().signal;

interface Stage extends AsyncDisposable {
  readonly fake: FakeKube;
  readonly clock: SkippingClock;
  /** One replica's view of the Leases, over a client of its own. */
  open(): Promise<LeaseObjects>;
  /** Resolves when something is so that changes of the Leases may make so; no longer than 10 s. */
  until(isSo: () => boolean): Promise<void>;
  startReplica(name: string): Promise<Replicas>;
}

async function startStage(): Promise<Stage> {
  const fake = await startFakeKube({ tls: true });
  const clock = makeSkippingClock();
  const clients: KubeClient[] = [];
  const opened: LeaseObjects[] = [];
  const replicas: Replicas[] = [];
  const { look, until } = makeOnlookers(10_000);
  const stage: Stage = {
    fake,
    clock,
    until,
    async open() {
      const client = await loadKubeClient({ kubeconfig: fake.kubeconfig, clock });
      clients.push(client);
      const leases = new LeaseObjects({ client, namespace: "ci", installation: "ci", clock, logger: silentLogger });
      opened.push(leases);
      leases.onChange(look);
      await leases.start();
      return leases;
    },
    async startReplica(name) {
      const made = new Replicas({
        ...{ leases: await stage.open(), installation: "ci", replica: name, clock, logger: silentLogger },
        onChange: look,
      });
      replicas.push(made);
      await made.start();
      return made;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(replicas.map((each) => each.stop()));
      await Promise.all(opened.map((each) => each.stop()));
      assert.equal(clock.pending, 0, "no timer is left");
      await Promise.all(clients.map((each) => each.close()));
      await fake.disconnected();
      await fake[Symbol.asyncDispose]();
    },
  };
  return stage;
}

const SPEC = { holderIdentity: "a", leaseDurationSeconds: 15 };

describe("the Leases of an installation", () => {
  test("are cached from one watch with the installation's labels, and told", async () => {
    await using stage = await startStage();
    stage.fake.create(LEASES, "ci", { metadata: { name: "ci", labels: leaseLabels("ci") }, spec: SPEC });
    stage.fake.create(LEASES, "ci", { metadata: { name: "foreign", labels: leaseLabels("other") }, spec: SPEC });
    const leases = await stage.open();
    assert.equal(leases.cached("ci"), undefined, "nothing is known yet");
    const told: (string | undefined)[] = [];
    leases.onChange((name) => told.push(name));
    await stage.until(() => leases.hasSynced && told.includes(undefined));
    assert.deepEqual(told, ["ci", undefined]);
    assert.equal(leases.cached("ci")?.spec?.holderIdentity, "a");
    assert.equal(leases.cached("foreign"), null);
    assert.deepEqual(
      Iterator.from(leases.cachedAll())
        .map(({ metadata }) => metadata.name)
        .toArray(),
      ["ci"],
    );
    stage.fake.patch(LEASES, "ci", "ci", { spec: { holderIdentity: "b" } });
    await stage.until(() => leases.cached("ci")?.spec?.holderIdentity === "b");
    stage.fake.delete(LEASES, "ci", "ci");
    await stage.until(() => leases.cached("ci") === null);
  });

  test("are cached as a call's answer tells them, though the watch says nothing, until it says something newer", async () => {
    await using stage = await startStage();
    const watching = stage.fake.nextCall({ verb: "watch", resource: "leases" });
    const leases = await stage.open();
    await watching;
    stage.fake.watches.silence();
    const made = await leases.create("ci", SPEC, NEVER);
    assert.ok(made);
    assert.deepEqual(leases.cached("ci"), made);
    const updated = await leases.update(made, { ...SPEC, holderIdentity: "b" }, NEVER);
    assert.equal(leases.cached("ci")?.metadata.resourceVersion, updated?.metadata.resourceVersion);
    stage.fake.patch(LEASES, "ci", "ci", { spec: { holderIdentity: "c" } });
    assert.equal(leases.cached("ci")?.spec?.holderIdentity, "b");
    assert.equal((await leases.get("ci", NEVER))?.spec?.holderIdentity, "c");
    assert.equal(leases.cached("ci")?.spec?.holderIdentity, "c");
    stage.fake.delete(LEASES, "ci", "ci");
    assert.equal(await leases.get("ci", NEVER), undefined);
    assert.equal(leases.cached("ci"), null);
  });

  test("are written on the state that was seen only: a conflict, a deletion and a second creation are told, not thrown", async () => {
    await using stage = await startStage();
    const leases = await stage.open();
    const made = await leases.create("ci", SPEC, NEVER);
    assert.ok(made);
    assert.equal(await leases.create("ci", SPEC, NEVER), undefined);
    assert.ok(await leases.update(made, { ...SPEC, holderIdentity: "b" }, NEVER));
    assert.equal(await leases.update(made, { ...SPEC, holderIdentity: "c" }, NEVER), undefined);
    stage.fake.delete(LEASES, "ci", "ci");
    assert.equal(await leases.update(made, SPEC, NEVER), undefined);
    const second = await leases.create("ci", SPEC, NEVER);
    await leases.delete(made, NEVER);
    assert.ok(stage.fake.find(LEASES, "ci", "ci"), "another object of that name stays");
    if (second) await leases.delete(second, NEVER);
    assert.equal(stage.fake.find(LEASES, "ci", "ci"), undefined);
    assert.equal(leases.cached("ci"), null);
  });

  test("are asked for no longer than 2 s, and over a new connection next time: the old one may be dead", async () => {
    await using stage = await startStage();
    const leases = await stage.open();
    await leases.get("ci", NEVER);
    stage.fake.misbehave({ verb: "get", resource: "leases" }, { kind: "hang" });
    const arrived = stage.fake.nextCall({ verb: "get", resource: "leases" }, "arrived");
    const before = stage.fake.connections.total;
    const failed = assert.rejects(leases.get("ci", NEVER), { code: "TH_KUBE_TIMEOUT" });
    await arrived;
    stage.clock.skip(2_000);
    await failed;
    await leases.get("ci", NEVER);
    assert.ok(stage.fake.connections.total > before);
  });

  test("let go of a call when its signal aborts, and of all when they stop", async () => {
    await using stage = await startStage();
    const leases = await stage.open();
    stage.fake.misbehave({ verb: "get", resource: "leases" }, { kind: "hang" }, 2);
    const aborting = new AbortController();
    const failed = assert.rejects(leases.get("ci", aborting.signal), /enough/);
    aborting.abort(new Error("enough"));
    await failed;
    const stopped = assert.rejects(leases.get("ci", NEVER), { code: "TH_KUBE_CLOSED" });
    await leases.stop();
    await stopped;
  });
});

describe("replicas against an API server", () => {
  test("hand the installation over when its holder resigns, seen in the watch", async () => {
    await using stage = await startStage();
    const a = await stage.startReplica("a-11111");
    await stage.until(() => a.isHolder);
    const b = await stage.startReplica("b-11111");
    await stage.until(() => b.isAlive("a-11111") && stage.fake.find(LEASES, "ci", "ci-b-11111") !== undefined);
    const startedMs = performance.now();
    await a.resign();
    await stage.until(() => b.isHolder);
    assert.ok(performance.now() - startedMs < 2_000);
    assert.equal(a.isHolder, false);
    assert.equal(stage.fake.get(LEASES, "ci", "ci").spec.holderIdentity, "b-11111");
    await a.stop();
    assert.deepEqual(
      stage.fake.list(LEASES, "ci").map(({ metadata }) => metadata.name),
      ["ci", "ci-b-11111"],
    );
  });

  test("hold at once and one only, through an API server that is away for a minute", async () => {
    await using stage = await startStage();
    const all = await Promise.all(["a-11111", "b-11111", "c-11111"].map((name) => stage.startReplica(name)));
    const holders = () => all.filter(({ isHolder }) => isHolder).length;
    await stage.until(() => holders() === 1);
    const down = stage.fake.misbehave({}, { kind: "drop" }, Number.POSITIVE_INFINITY);
    stage.fake.cutConnections();
    for (let second = 0; second < 60; second += 1) {
      stage.clock.skip(1_000);
      assert.ok(holders() <= 1);
      await new Promise((turn) => setImmediate(turn));
    }
    assert.equal(holders(), 0);
    down.stop();
    const skipping = setInterval(() => stage.clock.skip(500), 20);
    await stage.until(() => holders() === 1).finally(() => clearInterval(skipping));
  });
});
