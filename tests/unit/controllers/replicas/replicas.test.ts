import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LeaseStore } from "../../../../src/controllers/replicas/lease-store.ts";
import { Replicas } from "../../../../src/controllers/replicas/replicas.ts";
import type { Lease, LeaseSpec } from "../../../../src/core/replicas/leadership.ts";
import { leaseLabels } from "../../../../src/core/replicas/leadership.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { ReplicaWorld } from "./replica-world.ts";

describe("the role of holder", () => {
  test("is taken by the only replica at once, and kept by renewing every 2 s", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    assert.ok((await world.until(() => a.replicas.isHolder, 5_000)) < 100);
    const before = a.calls.length;
    await world.pass(20_000);
    assert.deepEqual(world.holders, ["a-11111"]);
    assert.equal(a.calls.slice(before).filter((call) => call === "patch ci").length, 10);
    assert.equal(a.calls.slice(before).filter((call) => call === "patch ci-a-11111").length, 4);
    assert.equal(a.changes, 1);
    const { spec } = world.lease() ?? {};
    assert.equal(spec?.holderIdentity, "a-11111");
    assert.equal(spec?.leaseDurationSeconds, 15);
    assert.match(spec?.renewTime ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    await world.close();
    assert.deepEqual(world.names, ["ci"]);
  });

  test("goes to exactly one of many that start together, at once", async () => {
    const world = new ReplicaWorld();
    for (const name of ["a", "b", "c", "d", "e"]) await world.start(`${name}-11111`);
    assert.ok((await world.until(() => world.holders.length > 0, 5_000)) < 100);
    await world.pass(5_000);
    assert.equal(world.holders.length, 1);
    await world.close();
  });

  test("goes over within 2 s when its holder resigns, and never back", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    const c = await world.start("c-11111");
    await world.pass(1_000);
    const resigned = a.replicas.resign();
    assert.equal(a.replicas.isHolder, false, "it is no holder before the Lease is released");
    assert.ok((await world.ends(resigned, 2_000)) < 50);
    assert.ok((await world.until(() => b.replicas.isHolder || c.replicas.isHolder, 2_000)) < 700);
    await world.pass(60_000);
    assert.equal(world.holders.length, 1);
    assert.equal(world.lease()?.spec?.leaseTransitions, 1);
    assert.equal(b.replicas.isAlive("a-11111"), true);
    assert.equal(a.replicas.isHolder, false);
    b.kill();
    c.kill();
    await world.pass(60_000);
    assert.deepEqual(world.holders, []);
    await world.close();
  });

  test("goes over in Lease time and little more after a crash", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(10_000);
    a.kill();
    const ms = await world.until(() => b.replicas.isHolder, 20_000);
    assert.ok(ms > 10_000 && ms < 15_500, `${ms} ms`);
    await world.close();
  });

  test("is given up after 10 s without a renewal, told by a timer, and taken again when the API server is back", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    await world.pass(1_000);
    world.isUp = false;
    await world.pass(8_500);
    assert.equal(a.replicas.isHolder, true);
    await world.pass(1_500);
    assert.equal(a.replicas.isHolder, false);
    assert.equal(a.changes, 2);
    await world.pass(300_000);
    world.isUp = true;
    assert.ok((await world.until(() => a.replicas.isHolder, 10_000)) < 5_000);
    assert.equal(a.changes, 3);
    await world.close();
  });

  test("is not lost to calls that hang, if every third one is answered", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const counts = new Map<string, number>();
    a.link.fate = (_verb, name) => {
      const count = counts.get(name) ?? 0;
      counts.set(name, count + 1);
      return count % 3 === 2 ? "answered" : "hung";
    };
    await world.pass(120_000);
    assert.equal(a.changes, 1);
    await world.close();
  });

  test("is lost to a process that was stopped, in the moment it wakes and before it has done anything", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(1_000);
    a.pause();
    world.onStep = () => assert.ok(world.holders.length <= 1);
    await world.until(() => b.replicas.isHolder, 20_000);
    assert.equal(a.replicas.isHolder, false);
    a.resume();
    await world.pass(30_000);
    assert.deepEqual(world.holders, ["b-11111"]);
    assert.equal(b.replicas.isAlive("a-11111"), true);
    await world.close();
  });

  test("is kept by its holder when the Lease is deleted: it makes it again before others take it", async () => {
    const world = new ReplicaWorld();
    await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(6_000);
    world.onStep = () => assert.deepEqual(world.holders, ["a-11111"]);
    world.remove();
    await world.until(() => world.lease() !== undefined, 3_000);
    await world.pass(30_000);
    assert.equal(b.changes, 1, "b has seen a live, and nothing else");
    world.onStep = () => {};
    await world.close();
  });

  test("is not taken at once from a deleted Lease by a replica that has just started", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    await world.pass(6_000);
    world.onStep = () => assert.ok(world.holders.length <= 1);
    a.link.fate = () => "refused";
    world.remove();
    const b = await world.start("b-11111");
    const ms = await world.until(() => b.replicas.isHolder, 20_000);
    assert.ok(ms >= 10_000, `${ms} ms`);
    await world.close();
  });

  test("goes to nobody for 10 s after a Lease was made where one was deleted, even if that one is deleted as well", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    const c = await world.start("c-11111");
    await world.pass(6_000);
    world.onStep = () => assert.ok(world.holders.length <= 1, world.holders.join());
    a.kill();
    world.remove();
    const madeMs = await world.until(() => world.lease() !== undefined, 10_000);
    assert.ok(madeMs < 5_500, `${madeMs} ms`);
    // To one of them it looks as if there had never been another.
    const maker = world.lease()?.spec?.holderIdentity === b.name ? b : c;
    const other = maker === b ? c : b;
    other.pause();
    await world.pass(4_000);
    assert.deepEqual(world.holders, []);
    world.remove();
    maker.link.fate = () => "refused";
    other.resume();
    await world.until(() => other.replicas.isHolder, 30_000);
    assert.equal(maker.replicas.isHolder, false);
    world.onStep = () => {};
    await world.close();
  });

  test("is given up at once by a holder that sees its Lease written by another, who may rely on that", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    await world.pass(6_100);
    world.edit({ spec: { holderIdentity: "b-11111" } });
    assert.ok((await world.until(() => !a.replicas.isHolder, 5_000)) < 100);
    assert.equal(a.changes, 2);
    await world.close();
  });

  test("is not given away by one that resigns after it has made the Lease and before it holds it: who held a deleted one may still", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    const c = await world.start("c-11111");
    await world.pass(6_000);
    world.onStep = () => assert.ok(world.holders.length <= 1, world.holders.join());
    a.link.fate = () => "refused";
    world.remove();
    await world.until(() => world.lease() !== undefined, 10_000);
    assert.deepEqual(world.holders, ["a-11111"]);
    const [maker, other] = world.lease()?.spec?.holderIdentity === b.name ? [b, c] : [c, b];
    await world.pass(100);
    await world.ends(maker.replicas.resign(), 2_000);
    assert.equal(world.lease()?.spec?.holderIdentity, maker.name);
    await world.until(() => other.replicas.isHolder, 20_000);
    world.onStep = () => {};
    await world.close();
  });

  test("does not come back to who held it before, when somebody writes that one's words there again", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(6_000);
    const { spec } = world.lease() ?? {};
    a.pause();
    await world.until(() => b.replicas.isHolder, 20_000);
    a.resume();
    await world.pass(1_000);
    world.onStep = () => assert.ok(world.holders.length <= 1, world.holders.join());
    b.link.isSilent = true;
    world.edit({ spec });
    await world.pass(30_000);
    assert.equal(world.holders.length, 1);
    world.onStep = () => {};
    await world.close();
  });

  test("is not had any more by who resigns while its renewal is under way, nor by who is about to take it", async () => {
    for (const stepMs of [0, 700, 1_400]) {
      const world = new ReplicaWorld();
      const a = await world.startHolder("a-11111");
      a.link.latencyMs = () => 900;
      await world.pass(6_000 + stepMs);
      assert.equal(a.replicas.isHolder, true);
      const resigned = a.replicas.resign();
      world.onStep = () => assert.deepEqual(world.holders, []);
      assert.ok((await world.ends(resigned, 5_000)) <= 2_000);
      await world.pass(30_000);
      world.onStep = () => {};
      await world.close();
    }
  });

  test("is given up though the first tries at that are refused, and no other one's is given up by who resigns", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(1_000);
    await world.ends(b.replicas.resign(), 2_000);
    assert.deepEqual(world.holders, ["a-11111"]);
    let refused = 0;
    a.link.fate = (verb, name) => (verb === "patch" && name === "ci" && refused++ < 3 ? "refused" : "answered");
    assert.ok((await world.ends(a.replicas.resign(), 2_000)) < 2_000);
    assert.deepEqual([world.lease()?.spec?.holderIdentity, world.lease()?.spec?.leaseDurationSeconds], ["", 1]);
    await world.close();
  });

  for (const [what, before] of [
    ["has seen that somebody held it", (world: ReplicaWorld) => world.pass(1_000)],
    ["cannot list the Leases", async () => {}],
  ] as const) {
    test(`is not taken at once from a deleted Lease by one that ${what}, though it knows of no other replica`, async () => {
      const world = new ReplicaWorld();
      const x = await world.startHolder("x-11111");
      await world.pass(6_000);
      world.onStep = () => assert.ok(world.holders.length <= 1, world.holders.join());
      const hasList = what !== "cannot list the Leases";
      if (!hasList) {
        x.link.fate = () => "refused";
        for (const name of ["ci", "ci-x-11111"]) world.remove(name);
      }
      const a = await world.start("a-11111", { fate: (verb) => (verb === "list" && !hasList ? "hung" : "answered") });
      await before(world);
      x.link.fate = () => "refused";
      for (const name of ["ci", "ci-x-11111"]) world.remove(name);
      await world.until(() => a.replicas.isHolder, 60_000);
      assert.equal(x.replicas.isHolder, false);
      world.onStep = () => {};
      await world.close();
    });
  }

  test("is asked for by nobody whose own Lease is not there: the others could not tell that it lives", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111", { fate: (_verb, name) => (name === "ci-a-11111" ? "refused" : "answered") });
    await world.pass(60_000);
    assert.deepEqual([world.holders, world.names], [[], []]);
    a.link.fate = () => "answered";
    await world.until(() => a.replicas.isHolder, 10_000);
    await world.close();
  });

  const NONSENSE: Record<string, object> = {
    "names no holder": { spec: { holderIdentity: "" } },
    "has no holder": { spec: { holderIdentity: null } },
    "names another replica": { spec: { holderIdentity: "b-11111" } },
    "names another replica, as if it had just taken it": {
      spec: { holderIdentity: "b-11111", acquireTime: "2027-01-15T08:00:00.000000Z", renewTime: "2027-01-15T08:00:00.000000Z" },
    },
    "names nobody that is known": { spec: { holderIdentity: "nobody" } },
    "has a negative duration": { spec: { leaseDurationSeconds: -5 } },
    "has a huge duration": { spec: { leaseDurationSeconds: 1e12 } },
    "has no spec": { spec: null },
    "has a spec that is none": { spec: "nonsense" },
    "has other things than times": { spec: { acquireTime: 5, renewTime: {}, leaseTransitions: "x", holderIdentity: ["a-11111"] } },
    "counts no transitions": { spec: { leaseTransitions: -1 } },
    "has no labels": { metadata: { labels: null } },
  };
  for (const [title, patch] of Object.entries(NONSENSE)) {
    test(`has never two holders, and soon one, after the Lease was edited and ${title}`, async () => {
      const world = new ReplicaWorld();
      const a = await world.startHolder("a-11111");
      await world.start("b-11111");
      await world.pass(7_000);
      world.onStep = () => assert.ok(world.holders.length <= 1, world.holders.join());
      // It finds out with its next renewal only.
      a.link.isSilent = true;
      world.edit(patch);
      await world.pass(100);
      await world.until(() => world.holders.length === 1, 20_000);
      await world.pass(20_000);
      assert.equal(world.holders.length, 1);
      assert.ok(["a-11111", "b-11111"].includes(world.lease()?.spec?.holderIdentity ?? ""));
      assert.deepEqual(world.lease()?.metadata.labels, leaseLabels("ci"));
      world.onStep = () => {};
      await world.close();
    });
  }

  test("is taken although the watch says nothing: a Lease is asked for before it counts as over", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(1_000);
    b.link.isSilent = true;
    world.onStep = () => assert.ok(world.holders.length <= 1);
    await world.pass(60_000);
    assert.equal(a.replicas.isHolder, true);
    a.kill();
    await world.until(() => b.replicas.isHolder, 40_000);
    world.onStep = () => {};
    await world.close();
  });
});

describe("whether another replica lives", () => {
  test("is told of each that has a Lease; this one itself always lives", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    const b = await world.start("b-11111");
    await world.pass(1_000);
    for (const { replicas } of [a, b]) assert.deepEqual([replicas.isAlive("a-11111"), replicas.isAlive("b-11111")], [true, true]);
    await world.close();
  });

  test("is asked of the API server before it is denied, and then told", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    await world.pass(1_000);
    const changes = a.changes;
    assert.equal(a.replicas.isAlive("stranger-22222"), true);
    await world.until(() => !a.replicas.isAlive("stranger-22222"), 3_000);
    assert.equal(a.calls.filter((call) => call === "get ci-stranger-22222").length, 1);
    assert.equal(a.changes, changes + 1);
    await world.start("stranger-22222");
    await world.until(() => a.replicas.isAlive("stranger-22222"), 1_000);
    await world.close();
  });

  test("is denied in Lease time after a crash, though the watch may be behind", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    const b = await world.start("b-11111");
    await world.pass(10_000);
    a.link.isSilent = true;
    await world.pass(60_000);
    assert.equal(a.replicas.isAlive("b-11111"), true);
    a.link.isSilent = false;
    await world.pass(30_000);
    b.kill();
    const ms = await world.until(() => !a.replicas.isAlive("b-11111"), 20_000);
    assert.ok(ms > 9_000 && ms < 15_500, `${ms} ms`);
    await world.close();
  });

  test("is not denied because the API server was away: the others get time to say so", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    const b = await world.start("b-11111");
    await world.pass(10_000);
    const told = [a.changes, b.changes];
    world.onStep = () => assert.ok(a.replicas.isAlive("b-11111") && b.replicas.isAlive("a-11111"));
    for (const downMs of [12_000, 20_000, 90_000]) {
      world.isUp = false;
      await world.pass(downMs);
      world.isUp = true;
      await world.pass(30_000);
    }
    assert.deepEqual(world.holders.length, 1);
    assert.ok(a.changes + b.changes - (told[0] ?? 0) - (told[1] ?? 0) <= 6, "the holder's role alone has changed");
    world.onStep = () => {};
    await world.close();
  });

  test("is denied soon after it has stopped; its Lease is gone", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    const b = await world.start("b-11111");
    await world.pass(10_000);
    assert.ok((await world.ends(b.replicas.stop(), 3_000)) < 100);
    assert.equal(world.lease("ci-b-11111"), undefined);
    await world.until(() => !a.replicas.isAlive("b-11111"), 3_000);
    await world.close();
  });

  test("is denied soon after it has stopped although the first tries to delete its Lease were refused", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    await world.pass(10_000);
    let refused = 0;
    a.link.fate = (verb) => (verb === "delete" && refused++ < 3 ? "refused" : "answered");
    await world.ends(a.replicas.stop(), 3_000);
    assert.deepEqual([world.names, refused], [["ci"], 4]);
    await world.close();
  });

  test("is not denied when someone deletes its Lease, or writes nonsense into it: it makes it good again", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    await world.start("b-11111");
    await world.pass(10_000);
    world.onStep = () => assert.ok(a.replicas.isAlive("b-11111"));
    // Long before it would renew it.
    await world.pass(1_000);
    world.remove("ci-b-11111");
    await world.until(() => world.lease("ci-b-11111") !== undefined, 1_000);
    await world.pass(20_000);
    world.edit(
      { metadata: { labels: null }, spec: { holderIdentity: "nonsense", renewTime: null, leaseDurationSeconds: -1 } },
      "ci-b-11111",
    );
    await world.pass(60_000);
    assert.equal(world.lease("ci-b-11111")?.spec?.holderIdentity, "b-11111");
    world.onStep = () => {};
    await world.close();
  });

  test("is asked of names that are none without harm, and the holder's Lease is no replica's", async () => {
    const world = new ReplicaWorld();
    const a = await world.start("a-11111");
    await world.pass(1_000);
    assert.equal(a.replicas.isAlive(""), false);
    for (const name of ["", "!!!", "x".repeat(10_000), "../../secrets", "\u0000"]) a.replicas.isAlive(name);
    await world.pass(10_000);
    for (const name of ["", "!!!", "x".repeat(10_000), "../../secrets", "\u0000"]) assert.equal(a.replicas.isAlive(name), false, name);
    const lengths = [0, 301, 300].map((length) => a.replicas.isAlive("y".repeat(length)));
    assert.deepEqual(lengths, [false, false, true], "nobody is asked for what is no name of a replica");
    assert.ok(a.replicas.isHolder);
    assert.deepEqual(
      a.calls.filter((call) => call.startsWith("delete")),
      [],
    );
    await world.close();
  });

  test("of those that crashed long ago is forgotten: the holder deletes their Leases after 10 min, and nothing else", async () => {
    const world = new ReplicaWorld();
    world.put("ci-crashed-00000", { holderIdentity: "crashed-00000" }, leaseLabels("ci"));
    world.put("ci-foreign", { holderIdentity: "foreign" }, {});
    world.put("other", { holderIdentity: "x" }, leaseLabels("ci"));
    const [manager] = Object.entries(leaseLabels("ci"));
    world.put("ci-half", { holderIdentity: "half" }, Object.fromEntries([manager ?? assert.fail()]));
    const a = await world.start("a-11111");
    const b = await world.start("b-11111");
    for (const name of ["foreign", "half"]) a.replicas.isAlive(name);
    await world.pass(30_000);
    assert.equal(a.replicas.isAlive("crashed-00000"), false);
    world.onStep = () => assert.ok(!a.replicas.isAlive("crashed-00000"), "it does not come back to life by that");
    b.kill();
    await world.pass(580_000);
    assert.deepEqual(world.names, ["ci", "ci-a-11111", "ci-b-11111", "ci-crashed-00000", "ci-foreign", "ci-half", "other"]);
    await world.pass(60_000);
    assert.deepEqual(world.names, ["ci", "ci-a-11111", "ci-foreign", "ci-half", "other"]);
    world.onStep = () => {};
    await world.close();
  });
});

test("of names that have no Lease a thousand are remembered, and every replica that has one", async () => {
  const world = new ReplicaWorld();
  const a = await world.startHolder("a-11111");
  const b = await world.start("b-11111");
  await world.pass(5_000);
  b.kill();
  await world.until(() => !a.replicas.isAlive("b-11111"), 30_000);
  const names = Array.from({ length: 1_001 }, (_, index) => `stranger-${index}`);
  for (const name of names) a.replicas.isAlive(name);
  await world.until(() => !a.replicas.isAlive("stranger-1000"), 30_000);
  assert.equal(a.replicas.isAlive("b-11111"), false);
  assert.deepEqual(
    names.toReversed().filter((name) => a.replicas.isAlive(name)),
    ["stranger-0"],
  );
  assert.equal(a.calls.filter((call) => call === "get ci-stranger-1").length, 1);
  await world.close();
});

describe("start and stop of a replica", () => {
  test("do not wait for an API server that is down; it gets there when it is up", async () => {
    const world = new ReplicaWorld();
    world.isUp = false;
    const a = await world.start("a-11111");
    await world.pass(600_000);
    world.isUp = true;
    await world.until(() => a.replicas.isHolder, 40_000);
    await world.close();
  });

  test("stop takes 3 s at most when nothing is answered, and leaves no timer", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    a.link.fate = () => "hung";
    const resigned = a.replicas.resign();
    assert.ok((await world.ends(resigned, 5_000)) <= 2_000);
    assert.ok((await world.ends(Promise.all([a.replicas.stop(), a.replicas.stop()]), 5_000)) <= 3_000);
    await world.close();
  });

  test("stop is over at once where someone has deleted its Lease", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    a.link.isSilent = true;
    world.remove("ci-a-11111");
    assert.ok((await world.ends(a.replicas.stop(), 3_000)) < 100);
    const b = await world.start("b-11111");
    await world.pass(100);
    b.link.fate = (verb) => (verb === "create" ? "refused" : "answered");
    world.remove("ci-b-11111");
    await world.pass(1_000);
    assert.ok((await world.ends(b.replicas.stop(), 3_000)) < 100);
    await world.close();
  });

  test("resign takes 2 s at most also while a call is under way that nobody answers", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const asked: string[] = [];
    a.link.fate = (verb, name) => {
      asked.push(`${verb} ${name}`);
      return "hung";
    };
    await world.until(() => asked.includes("patch ci"), 5_000);
    assert.ok((await world.ends(a.replicas.resign(), 5_000)) <= 2_000);
    await world.close();
  });

  test("stop may come before, during and after start", async () => {
    for (const ms of [undefined, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20]) {
      const world = new ReplicaWorld();
      const a = await world.start("a-11111");
      if (ms !== undefined) await world.pass(ms);
      const stopped = a.replicas.stop();
      await a.replicas.start();
      await world.ends(stopped, 3_000);
      await world.pass(30_000);
      assert.equal(a.replicas.isHolder, false);
      assert.deepEqual(
        world.names.filter((name) => name !== "ci"),
        [],
      );
      assert.ok(!world.lease()?.spec?.holderIdentity);
      await world.close();
    }
  });

  test("start may come twice, and after stop: there is one listener, and none in the end", async () => {
    const clock = makeManualClock();
    const listeners = new Set<object>();
    const lease = (name: string, spec: LeaseSpec): Lease => ({ metadata: { name, namespace: "ci" }, spec });
    const leases: LeaseStore = {
      ...{ hasSynced: true, cached: () => null, cachedAll: () => [] },
      get: async () => undefined,
      create: async (name, spec) => lease(name, spec),
      update: async ({ metadata: { name } }, spec) => lease(name, spec),
      delete: async () => {},
      onChange() {
        const listener = {};
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    };
    const make = () => new Replicas({ leases, installation: "ci", replica: "a", clock, logger: silentLogger, onChange() {} });
    const replicas = make();
    await replicas.start();
    await replicas.start();
    assert.equal(listeners.size, 1);
    await replicas.stop();
    await replicas.start();
    assert.deepEqual([listeners.size, clock.pending], [0, 0]);
    const neverStarted = make();
    await neverStarted.stop();
    await neverStarted.start();
    assert.deepEqual([listeners.size, clock.pending], [0, 0], "stopped before it was started");
  });
});
