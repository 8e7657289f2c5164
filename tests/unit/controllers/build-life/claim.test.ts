import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UnclaimedBuild } from "../../../../src/controllers/build-life/build-context.ts";
import { Claim } from "../../../../src/controllers/build-life/claim.ts";

function setUp({ relaunchKey }: { relaunchKey: string | undefined } = { relaunchKey: "key" }) {
  const world = { isClaimed: false, uid: "u" as string | undefined, isCarriedOut: true, handsOutAgain: false, reclaims: 0 };
  const all = { unclaimed: new Set<UnclaimedBuild>(), delivered: new Set<string>() };
  const claim = new Claim({
    conversation: {
      get isClaimed() {
        return world.isClaimed;
      },
      server: "zuul:4730",
    },
    record: { functionName: "build:unit", relaunchKey },
    servers: {
      reclaim() {
        world.reclaims += 1;
      },
      handsOutAgain: () => world.handsOutAgain,
    },
    all,
    jobUid: () => world.uid,
    isCarriedOut: () => world.isCarriedOut,
  });
  const mayBeAskedFor = (server = "zuul:4730", functionName = "build:unit") =>
    claim.mayBeAskedFor(server, (served) => served === functionName);
  return { claim, world, all, mayBeAskedFor };
}

describe("a build that nobody asks for", () => {
  test("is among those that lanes ask for, and they are told; until somebody asks", () => {
    const { claim, world, all } = setUp();
    claim.note();
    assert.deepEqual([all.unclaimed.has(claim), world.reclaims], [true, 1]);
    world.isClaimed = true;
    claim.note();
    assert.deepEqual([all.unclaimed.size, world.reclaims], [0, 1]);
  });

  test("is among them when it was found, before there are links", () => {
    const { claim, world, all } = setUp();
    claim.noteFound();
    assert.deepEqual([all.unclaimed.has(claim), world.reclaims], [true, 0]);
    claim.close();
    assert.equal(all.unclaimed.size, 0);
  });

  test("may be asked for by its server, under its function, as long as it is carried out", () => {
    const { claim, world, mayBeAskedFor } = setUp();
    assert.deepEqual([mayBeAskedFor(), mayBeAskedFor("other:4730"), mayBeAskedFor("zuul:4730", "build:other")], [true, false, false]);
    for (const change of [{ isClaimed: true }, { isCarriedOut: false }, { uid: undefined }]) {
      const before = { ...world };
      Object.assign(world, change);
      assert.equal(mayBeAskedFor(), false, JSON.stringify(change));
      Object.assign(world, before);
    }
    claim.noteDelivery();
    assert.equal(mayBeAskedFor(), false);
  });

  test("may be asked for without a key of its relaunch where its server gives requests out again alone", () => {
    const { world, mayBeAskedFor } = setUp({ relaunchKey: undefined });
    assert.equal(mayBeAskedFor(), false);
    world.handsOutAgain = true;
    assert.equal(mayBeAskedFor(), true);
  });
});

test("a build whose answer was read says so of its Job, until that says it itself", () => {
  const { claim, all } = setUp();
  assert.equal(claim.isDelivered, false);
  claim.noteDelivery();
  assert.deepEqual([claim.isDelivered, [...all.delivered]], [true, ["u"]]);
  claim.close();
  assert.deepEqual([claim.isDelivered, all.delivered.size], [true, 0]);
});

test("a build without a Job has none to speak of", () => {
  const { claim, world, all } = setUp();
  world.uid = undefined;
  claim.noteDelivery();
  claim.close();
  assert.deepEqual([claim.isDelivered, all.delivered.size], [true, 0]);
});
