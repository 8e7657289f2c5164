import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ReplicaWorld, type SimulatedReplica } from "./replica-world.ts";

const HOLDS = "holds the installation";
const HOLDS_NO_MORE = "holds the installation no more: its Lease could not be renewed";
const GIVEN_UP = "has given up the holder's Lease";
const NOT_GIVEN_UP = "could not give up the holder's Lease: it runs out by itself";
const TRIES = {
  holder: "tries the holder's Lease again after a failure",
  own: "tries the Lease of this replica again after a failure",
  others: "asks again for the Leases of other replicas after a failure",
  giveUp: "retries to give up the holder's Lease",
  end: "retries to delete the Lease of this replica",
};
const ALL = [HOLDS, HOLDS_NO_MORE, GIVEN_UP, NOT_GIVEN_UP, ...Object.values(TRIES)];

/** Each of these messages that a replica has logged, with its fields. */
function linesOf(replica: SimulatedReplica): [string, object][] {
  return ALL.flatMap((message) => replica.fieldsOf(message).map((fields): [string, object] => [message, fields]));
}

describe("a replica logs", () => {
  test("that it holds the installation once, and that it has given it up", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    await world.pass(60_000);
    assert.deepEqual(linesOf(a), [[HOLDS, { replica: "a-11111", lease: "ci", before: "" }]]);
    await world.ends(a.replicas.stop(), 3_000);
    assert.deepEqual(linesOf(a).slice(1), [[GIVEN_UP, { replica: "a-11111", lease: "ci" }]]);
    await world.close();
  });

  test("whom it follows after a crash, that it finds it dead, and the deletion of its Lease", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(10_000);
    a.kill();
    await world.until(() => b.replicas.isHolder, 30_000);
    await world.pass(660_000);
    const [replica, lease] = ["b-11111", "ci-a-11111"];
    assert.deepEqual(linesOf(b), [[HOLDS, { replica, lease: "ci", before: "a-11111" }]]);
    assert.deepEqual(b.fieldsOf("finds another replica dead"), [{ replica, lease }]);
    assert.deepEqual(b.fieldsOf("has deleted the Lease of a replica that is dead"), [{ replica, lease }]);
    assert.deepEqual(b.fieldsOf("finds another replica gone"), []);
    await world.close();
  });

  test("that it finds another one gone that has stopped", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(10_000);
    await world.ends(b.replicas.stop(), 3_000);
    await world.pass(10_000);
    assert.deepEqual(a.fieldsOf("finds another replica gone"), [{ replica: "a-11111", lease: "ci-b-11111" }]);
    assert.deepEqual(a.fieldsOf("finds another replica dead"), []);
    assert.deepEqual(linesOf(b), [], "who never held it says nothing of that");
    await world.close();
  });

  test("failures now and then, not each of them, and asks an API server that refuses no more than about once a second", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    a.replicas.isAlive("stranger-22222");
    const tries = new Map<string, number>();
    a.link.fate = (verb, name) => {
      tries.set(`${verb} ${name}`, (tries.get(`${verb} ${name}`) ?? 0) + 1);
      return "refused";
    };
    await world.pass(120_000);
    assert.deepEqual(a.fieldsOf(HOLDS_NO_MORE), [{ replica: "a-11111", lease: "ci" }]);
    const own = { replica: "a-11111", lease: "ci-a-11111" };
    const failuresOf = (message: string) => a.fieldsOf(message).map((fields) => Object(fields).failures);
    for (const message of [TRIES.holder, TRIES.own, TRIES.others]) {
      const failures = failuresOf(message);
      assert.ok(failures.length > 1, message);
      assert.deepEqual(
        failures,
        failures.map((_, index) => 1 + 20 * index),
        message,
      );
    }
    assert.deepEqual(a.fieldsOf(TRIES.own)[0], { ...own, failures: 1, err: "patch: the call was refused (500)" });
    const first = a.fieldsOf(TRIES.holder)[0];
    assert.deepEqual(first, { ...own, lease: "ci", action: "renew", failures: 1, err: "patch: the call was refused (500)" });
    assert.deepEqual(a.fieldsOf(TRIES.others)[0], { replica: "a-11111", failures: 1, err: "get: the call was refused (500)" });
    for (const [call, count] of tries) assert.ok(count > 20 && count < 240, `${call}: ${count} times`);
    a.link.fate = () => "answered";
    await world.until(() => a.replicas.isHolder, 30_000);
    assert.equal(a.fieldsOf(HOLDS).length, 2);
    await world.close();
  });

  test("who has written into the Lease that it holds", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    world.edit({ spec: { holderIdentity: "someone" } });
    await world.until(() => !a.replicas.isHolder, 5_000);
    await world.pass(1_000);
    const [line, ...more] = a.fieldsOf("finds the holder's Lease written by another");
    assert.deepEqual([line, more], [{ replica: "a-11111", lease: "ci", holder: "someone" }, []]);
    await world.close();
  });

  test("tries to give up its Leases that fail, with growing pauses", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    await world.pass(10_000);
    let refused = 0;
    a.link.fate = (verb) => (refused++ < 3 && verb !== "get" ? "refused" : "answered");
    await world.ends(a.replicas.resign(), 3_000);
    const [replica, lease] = ["a-11111", "ci"];
    const giveUp = { replica, lease, err: "patch: the call was refused (500)" };
    const resigned = linesOf(a).filter(([message]) => message === TRIES.giveUp || message === GIVEN_UP || message === NOT_GIVEN_UP);
    assert.equal(resigned.at(0)?.[0], GIVEN_UP);
    assert.deepEqual(
      resigned.slice(1),
      Array.from({ length: 3 }, () => [TRIES.giveUp, giveUp]),
    );
    let deletions = 0;
    a.link.fate = (verb) => (verb === "delete" && deletions++ < 2 ? "refused" : "answered");
    await world.ends(a.replicas.stop(), 3_000);
    const end = { replica, lease: "ci-a-11111", err: "delete: the call was refused (500)" };
    assert.deepEqual(a.fieldsOf(TRIES.end), [end, end]);
    await world.close();
  });

  test("that it could not give up what it holds, where that is so, and does not try without a pause", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    const b = await world.start("b-11111");
    await world.pass(10_000);
    let tries = 0;
    const refuse = (verb: string, name: string) => {
      if (verb === "patch" && name === "ci") tries += 1;
      return "refused" as const;
    };
    for (const replica of [a, b]) replica.link.fate = refuse;
    await world.ends(Promise.all([a.replicas.resign(), b.replicas.resign()]), 3_000);
    assert.deepEqual([a.fieldsOf(NOT_GIVEN_UP), b.fieldsOf(NOT_GIVEN_UP)], [[{ replica: "a-11111", lease: "ci" }], []]);
    assert.ok(tries > 2 && tries < 20, `${tries} tries in 2 s`);
    const logged = a.fieldsOf(TRIES.giveUp).length;
    assert.ok(logged <= tries && logged >= tries - 1, "the one that the end of the time breaks off is told by the line above");
    await world.close();
  });

  test("nothing of questions about others that its own stop breaks off", async () => {
    const world = new ReplicaWorld();
    const a = await world.startHolder("a-11111");
    a.replicas.isAlive("stranger-22222");
    let hung = 0;
    a.link.fate = () => {
      hung += 1;
      return "hung";
    };
    await world.until(() => hung > 1, 5_000);
    assert.ok((await world.ends(a.replicas.stop(), 5_000)) <= 3_000);
    assert.deepEqual([a.fieldsOf(TRIES.others), a.fieldsOf(NOT_GIVEN_UP).length], [[], 1]);
    await world.close();
  });
});
