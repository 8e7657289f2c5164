import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { OwnLease, type OwnLeaseOptions } from "../../../../src/controllers/replicas/own-lease.ts";
import { type Lease, type LeaseSpec, mayHaveHolder } from "../../../../src/core/replicas/leadership.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

/** A replica's own Lease after `ageMs`, its machine's clock having been set by `jumpMs` meanwhile; made then only, or renewed. */
async function leaseAfter(ageMs: number, jumpMs: number, isMadeLate = false): Promise<Lease> {
  const clock = makeManualClock();
  clock.jump(Date.parse("2026-01-01T00:00:00Z"));
  clock.skip(60_000);
  const beganMs = clock.monotonicMs();
  let lease: Lease | undefined;
  const write = async (spec: LeaseSpec): Promise<Lease> => {
    lease = { metadata: { name: "own", namespace: "ci" }, spec };
    return lease;
  };
  const own = new OwnLease({
    ...{ installation: "test", replica: "one", clock, logger: silentLogger, onCreated() {} },
    leases: {
      ...{ reachableSinceMs: 0, hasSynced: true, cached: () => lease ?? null, cachedAll: () => (lease ? [lease] : []) },
      get: async () => lease,
      create: (_name, spec) => (isMadeLate && clock.monotonicMs() === beganMs ? Promise.reject(new Error("not for now")) : write(spec)),
      update: (_lease, spec) => write(spec),
      delete: async () => {},
    },
  });
  own.start();
  await immediate();
  clock.jump(jumpMs);
  clock.skip(ageMs);
  for (let turn = 0; turn < 3; turn += 1) await immediate();
  const seen = lease;
  await own.stop(new AbortController().signal);
  assert.ok(seen);
  return seen;
}

test("a replica's own Lease tells its age to who must know whether it may hold the installation, wherever its machine's clock is set", async () => {
  for (const jumpMs of [0, -5000, -3_600_000, 3_600_000]) assert.equal(mayHaveHolder(false, [await leaseAfter(5000, jumpMs)]), true);
  assert.equal(mayHaveHolder(false, [await leaseAfter(0, 0)]), false);
  for (const jumpMs of [0, -5000, 5000]) assert.equal(mayHaveHolder(false, [await leaseAfter(1000, jumpMs, true)]), false);
});

test("a replica's own Lease is made known once, and asked of nobody by a replica that has not begun", async () => {
  const clock = makeManualClock();
  let lease: Lease | undefined;
  const calls: string[] = [];
  let created = 0;
  const write = (verb: string) => async (spec: LeaseSpec) => {
    calls.push(verb);
    lease = { metadata: { name: "own", namespace: "ci" }, spec };
    return lease;
  };
  const options: OwnLeaseOptions = {
    ...{ installation: "test", replica: "one", clock, logger: silentLogger, onCreated: () => void created++ },
    leases: {
      ...{ reachableSinceMs: 0, hasSynced: true, cached: () => lease ?? null, cachedAll: () => [] },
      async get() {
        calls.push("get");
        return lease;
      },
      create: (_name, spec) => write("create")(spec),
      update: (_lease, spec) => write("update")(spec),
      async delete() {
        calls.push("delete");
      },
    },
  };
  const own = new OwnLease(options);
  await own.stop(new AbortController().signal);
  own.start();
  await immediate();
  assert.deepEqual([calls, created], [[], 0]);
  const other = new OwnLease(options);
  other.start();
  for (let round = 0; round < 3; round += 1) {
    await immediate();
    clock.skip(10_000);
  }
  await immediate();
  await other.stop(new AbortController().signal);
  assert.deepEqual([calls, created], [["create", "update", "update", "update", "delete"], 1]);
});
