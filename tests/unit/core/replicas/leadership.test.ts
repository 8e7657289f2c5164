import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decideHolder,
  decideReplica,
  type HolderView,
  isOurs,
  isReleased,
  type Lease,
  type LeaseSpec,
  mayHaveHolder,
  type ReplicaView,
  renderLeaseSpec,
  renderReleasedSpec,
  replicaLeaseName,
  versionOf,
} from "../../../../src/core/replicas/leadership.ts";

const BEGAN = new Date("2026-01-01T00:00:00.000Z");
const BEGAN_TEXT = "2026-01-01T00:00:00.000000Z";

const lease = (spec: LeaseSpec | null | undefined): Lease => ({
  metadata: { name: "ci", uid: "u", resourceVersion: "7" },
  ...(spec === undefined ? {} : { spec }),
});
const OURS = lease({ holderIdentity: "a", leaseDurationSeconds: 15, acquireTime: BEGAN_TEXT, renewTime: BEGAN_TEXT });
const THEIRS = lease({ holderIdentity: "b", leaseDurationSeconds: 15, acquireTime: BEGAN_TEXT, renewTime: BEGAN_TEXT });
const RELEASED = lease({ holderIdentity: "", leaseDurationSeconds: 1 });

/** A standby at 100 s that has seen the Lease of another one change a second ago. */
const STANDBY: HolderView = {
  nowMs: 100_000,
  replica: "a",
  lease: THEIRS,
  seenAtMs: 99_000,
  confirmedAtMs: undefined,
  tenures: [BEGAN],
  renewedAtMs: Number.NEGATIVE_INFINITY,
  writtenAtMs: Number.NEGATIVE_INFINITY,
  mayBeHeld: true,
  reachableSinceMs: 0,
  jitterMs: 100,
};

describe("what a replica does about the holder's Lease", () => {
  const HELD = { lease: OURS, renewedAtMs: 99_000 };
  const ROWS: [title: string, view: Partial<HolderView>, action: string][] = [
    ["a holder waits until two seconds after its last renewal", HELD, "wait 1000"],
    ["and renews then", { ...HELD, renewedAtMs: 98_000 }, "renew"],
    ["up to the last moment", { ...HELD, renewedAtMs: 90_001 }, "renew"],
    ["a holder whose time has passed asks for it again, if nobody has taken it", { ...HELD, renewedAtMs: 90_000 }, "renew"],
    ["a holder makes a Lease again that was deleted", { ...HELD, lease: null }, "create"],
    ["a holder gives way to another's name", { ...HELD, lease: THEIRS }, "yield"],
    ["to no name", { ...HELD, lease: lease({ ...OURS.spec, holderIdentity: "" }) }, "yield"],
    ["to its own name that it has not written", { ...HELD, tenures: [] }, "yield"],
    ["to a Lease without a spec", { ...HELD, lease: lease(null) }, "yield"],
    ["a standby waits for the end of another's Lease, and a little more", {}, "wait 14100"],
    ["it asks before it takes one that is over", { seenAtMs: 84_900 }, "confirm"],
    ["and once more if it had asked before it was over", { seenAtMs: 84_900, confirmedAtMs: 99_999 }, "confirm"],
    ["it takes what was confirmed", { seenAtMs: 84_900, confirmedAtMs: 100_000 }, "take"],
    [
      "not if the API server has only just come back: its holder may, too",
      { seenAtMs: 0, confirmedAtMs: 100_000, reachableSinceMs: 99_000 },
      "wait 2000",
    ],
    ["nor while it is away", { seenAtMs: 0, confirmedAtMs: 100_000, reachableSinceMs: Number.POSITIVE_INFINITY }, "wait 60000"],
    ["it takes a released one after its jitter, unasked", { lease: RELEASED, seenAtMs: 99_900 }, "take"],
    ["not before", { lease: RELEASED, seenAtMs: 99_901 }, "wait 1"],
    ["one that names nobody is not released by that", { lease: lease({ holderIdentity: "", leaseDurationSeconds: 15 }) }, "wait 14100"],
    ["nor is one that is empty", { lease: lease(undefined) }, "wait 14100"],
    ["its own name that someone else has written is another's", { lease: OURS, tenures: [] }, "wait 14100"],
    ["where there is none, it makes one", { lease: null, mayBeHeld: false, seenAtMs: 100_000 }, "create"],
    ["a little later if somebody may hold it and make it again", { lease: null }, "wait 4100"],
    ["and no later", { lease: null, seenAtMs: 94_900 }, "create"],
    ["which it keeps while it is not the holder yet", { lease: OURS, writtenAtMs: 99_000 }, "wait 1000"],
    ["where nothing is known, it waits for the watch", { lease: undefined }, "wait 1000"],
    ["but not for long", { lease: undefined, seenAtMs: 98_000 }, "confirm"],
  ];
  for (const [title, view, expected] of ROWS) {
    test(`${title}: ${expected}`, () => {
      const action = decideHolder({ ...STANDBY, ...view });
      assert.equal(action.kind === "wait" ? `wait ${action.waitMs}` : action.kind, expected);
    });
  }
});

describe("what a replica does about another one", () => {
  const ALIVE: ReplicaView = { nowMs: 1_000_000, isThere: true, seenAtMs: 990_000, isDead: false, reachableSinceMs: 0, isHolder: true };
  const ROWS: [title: string, view: Partial<ReplicaView>, action: string][] = [
    ["its Lease stands", {}, "wait 5000"],
    ["it is over", { seenAtMs: 985_000 }, "confirm"],
    ["it is over, but the API server was away", { seenAtMs: 900_000, reachableSinceMs: 995_000 }, "wait 3000"],
    ["it is over, and the API server is away", { seenAtMs: 900_000, reachableSinceMs: Number.POSITIVE_INFINITY }, "wait 60000"],
    ["it is gone, maybe by mistake", { isThere: false, seenAtMs: 999_000 }, "wait 1000"],
    ["it is gone", { isThere: false, seenAtMs: 998_000 }, "confirm"],
    ["dead, its Lease is there for 10 minutes", { isDead: true, seenAtMs: 385_001 }, "wait 1"],
    ["dead, and not longer", { isDead: true, seenAtMs: 385_000 }, "delete"],
    ["dead, and this one is not the holder", { isDead: true, seenAtMs: 0, isHolder: false }, "wait undefined"],
    ["dead and gone", { isDead: true, isThere: false, seenAtMs: 0 }, "wait undefined"],
  ];
  for (const [title, view, expected] of ROWS) {
    test(`${title}: ${expected}`, () => {
      const action = decideReplica({ ...ALIVE, ...view });
      assert.equal(action.kind === "wait" ? `wait ${action.waitMs}` : action.kind, expected);
    });
  }
});

describe("whether somebody may hold a Lease that is not there", () => {
  const own = (acquireTime: unknown, renewTime: unknown) => lease({ holderIdentity: "b", acquireTime, renewTime } as LeaseSpec);
  const ROWS: [title: string, wasSeen: boolean, others: Lease[], expected: boolean][] = [
    ["nobody else is there", false, [], false],
    ["it was there before", true, [], true],
    ["another has just started", false, [own(BEGAN_TEXT, BEGAN_TEXT)], false],
    ["another has renewed its Lease", false, [own(BEGAN_TEXT, "2026-01-01T00:00:05.000000Z")], true],
    ["one of many has", false, [own(BEGAN_TEXT, BEGAN_TEXT), own(BEGAN_TEXT, "2026-01-01T00:00:05.000000Z")], true],
    ["another's times go backwards", false, [own("2026-01-01T00:00:05.000000Z", BEGAN_TEXT)], true],
    ["another's times are none", false, [own(5, {})], true],
    ["another's times are equal numbers", false, [own(5, 5)], true],
    ["another began less than half a renewal's pause ago", false, [own(BEGAN_TEXT, "2026-01-01T00:00:02.499000Z")], false],
    ["another began half of that ago", false, [own(BEGAN_TEXT, "2026-01-01T00:00:02.500000Z")], true],
    ["another has no spec", false, [lease(null)], true],
  ];
  for (const [title, wasSeen, others, expected] of ROWS) {
    test(`${title}: ${expected ? "yes" : "no"}`, () => assert.equal(mayHaveHolder(wasSeen, others), expected));
  }
});

test("a Lease is another one when it was written, or made anew", () => {
  const versions = [
    { name: "ci", uid: "u", resourceVersion: "7" },
    { name: "ci", uid: "u", resourceVersion: "8" },
    { name: "ci", uid: "v", resourceVersion: "7" },
    { name: "ci" },
  ].map((metadata) => versionOf({ metadata }));
  assert.equal(new Set(versions).size, 4);
  assert.equal(versionOf(OURS), versionOf(lease(undefined)));
});

describe("a Lease that is written", () => {
  const NOW = new Date("2026-01-01T00:01:00.123Z");

  test("names its holder and times as the API wants them", () => {
    assert.deepEqual(renderLeaseSpec("a", BEGAN, NOW, undefined), {
      holderIdentity: "a",
      leaseDurationSeconds: 15,
      acquireTime: BEGAN_TEXT,
      renewTime: "2026-01-01T00:01:00.123000Z",
      leaseTransitions: 0,
    });
  });

  test("always differs from what it replaces: a clock that stands still makes no renewal that nobody sees", () => {
    const first = renderLeaseSpec("a", BEGAN, NOW, undefined);
    const second = renderLeaseSpec("a", BEGAN, NOW, lease(first));
    const third = renderLeaseSpec("a", BEGAN, NOW, lease(second));
    assert.notEqual(first.renewTime, second.renewTime);
    assert.notEqual(second.renewTime, third.renewTime);
    assert.notEqual(renderReleasedSpec(NOW, lease(first)).renewTime, first.renewTime);
  });

  test("counts how often the holder has changed, from whatever stands there", () => {
    const after = (spec: unknown) => renderLeaseSpec("a", BEGAN, NOW, lease(spec as LeaseSpec)).leaseTransitions;
    assert.equal(after({ holderIdentity: "a", leaseTransitions: 3 }), 3);
    assert.equal(after({ holderIdentity: "b", leaseTransitions: 3 }), 4);
    assert.equal(after({ holderIdentity: "", leaseTransitions: 2 ** 31 - 1 }), 2 ** 31 - 1);
    for (const nonsense of [-1, 1.5, 1e12, "3", null]) assert.equal(after({ holderIdentity: "b", leaseTransitions: nonsense }), 1);
  });

  test("is ours by name and beginning, and released as client-go releases", () => {
    assert.ok(isOurs(OURS, "a", [new Date(0), BEGAN]));
    assert.ok(!isOurs(OURS, "a", [new Date(BEGAN.getTime() + 1)]));
    assert.ok(!isOurs(THEIRS, "a", [BEGAN]));
    assert.ok(!isOurs(lease({ holderIdentity: "a", acquireTime: "nonsense" }), "a", [new Date("nonsense")]));
    assert.ok(isReleased(lease(renderReleasedSpec(NOW, OURS))));
    for (const each of [OURS, lease(null), lease({ holderIdentity: "b", leaseDurationSeconds: 1 }), lease({ leaseDurationSeconds: 15 })])
      assert.ok(!isReleased(each));
  });

  test("has a name that the API takes, whatever the replica's is", () => {
    for (const name of ["host-1a2b3", "My_Host.example.org-1a2b3", "x".repeat(500), "../..", "ä\u0000"]) {
      const rendered = replicaLeaseName("i".repeat(40), name);
      assert.match(rendered, /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
      assert.ok(rendered.length <= 253);
    }
    assert.equal(replicaLeaseName("ci", "My_Host..org-1A2B3"), "ci-my-host-org-1a2b3");
  });
});
