import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FAULT_KINDS, type Fault, planFaults } from "../../../drill/faults/fault-plan.ts";

const OPTIONS = { seed: 7, faults: 2000, replicas: 2, everyMs: 5000 };

/** The replica's process, where a fault concerns one, and until when it is down. */
function processDown(fault: Fault): { replica: number; untilMs: number } | undefined {
  if (fault.kind === "replica-killed" || fault.kind === "replica-terminated") {
    return { replica: fault.replica, untilMs: fault.atMs + fault.downMs };
  }
  return fault.kind === "replica-suspended" ? { replica: fault.replica, untilMs: fault.atMs + fault.forMs } : undefined;
}

describe("the plan of a drill's faults", () => {
  test("is the same for the same seed, and another for another one", () => {
    assert.deepEqual(planFaults(OPTIONS), planFaults(OPTIONS));
    assert.notDeepEqual(planFaults({ ...OPTIONS, seed: 8 }), planFaults(OPTIONS));
  });

  test("only grows with the number of faults, so that a drill can go on from any of them", () => {
    assert.deepEqual(planFaults({ ...OPTIONS, faults: 50 }), planFaults(OPTIONS).slice(0, 50));
  });

  test("has every kind of fault, on both replicas and both servers", () => {
    const plan = planFaults(OPTIONS);
    assert.deepEqual(new Set(plan.map(({ kind }) => kind)), new Set(FAULT_KINDS));
    const of = (name: string) => new Set(plan.flatMap((fault) => (name in fault ? [fault[name as keyof Fault]] : [])));
    assert.deepEqual(of("replica"), new Set([0, 1]));
    assert.deepEqual(of("server"), new Set(["gearmand", "geard"]));
    assert.deepEqual(of("how"), new Set(["rst", "fin", "killed", "suspended"]));
  });

  test("has one fault every five seconds on average, numbered and in order", () => {
    const plan = planFaults(OPTIONS);
    const meanMs = (plan.at(-1)?.atMs ?? 0) / plan.length;
    assert.ok(meanMs > 4500 && meanMs < 5500, `${meanMs} ms`);
    plan.forEach((fault, index) => {
      assert.equal(fault.index, index);
      assert.ok(fault.atMs >= (plan[index - 1]?.atMs ?? 0));
    });
  });

  test("has faults that overlap, but none that meets a replica's process while that is down", () => {
    const downs = planFaults(OPTIONS).flatMap((fault) => {
      const down = processDown(fault);
      return down ? [{ ...down, atMs: fault.atMs }] : [];
    });
    for (const replica of [0, 1]) {
      const own = downs.filter((down) => down.replica === replica);
      for (const [index, { atMs }] of own.entries()) assert.ok(atMs > (own[index - 1]?.untilMs ?? -1));
    }
    const both = downs.filter(({ replica, atMs, untilMs }) =>
      downs.some((other) => other.replica !== replica && other.atMs < untilMs && other.untilMs > atMs),
    );
    assert.ok(both.length > 0, "both replicas are down at once now and then");
  });

  test("stops the API server for 20 seconds", () => {
    for (const fault of planFaults(OPTIONS)) if (fault.kind === "api-server-down") assert.equal(fault.forMs, 20_000);
  });

  test("has with one replica that one only", () => {
    for (const fault of planFaults({ ...OPTIONS, replicas: 1 })) if ("replica" in fault) assert.equal(fault.replica, 0);
  });
});
