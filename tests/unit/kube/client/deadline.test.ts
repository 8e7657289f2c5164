import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { it } from "node:test";
import { makeDeadline } from "../../../../src/kube/client/deadline.ts";
import { type Clock, systemClock } from "../../../../src/runtime/clock.ts";

/** Timers run when told. */
function manualClock(): Clock & { readonly timers: Set<() => void> } {
  const timers = new Set<() => void>();
  return {
    ...systemClock,
    timers,
    schedule(_, callback) {
      timers.add(callback);
      return () => timers.delete(callback);
    },
  };
}

it("time's end aborts with TH_KUBE_TIMEOUT; an extension counts anew; release leaves neither timer nor listener", () => {
  const clock = manualClock();
  const parent = new AbortController();
  const deadline = makeDeadline(clock, [parent.signal]);
  deadline.extend(10, "first");
  deadline.extend(10, "second");
  assert.equal(clock.timers.size, 1);
  for (const fire of clock.timers) fire();
  assert.deepEqual([deadline.expired, deadline.signal.reason.code, deadline.signal.reason.message], [true, "TH_KUBE_TIMEOUT", "second"]);
  deadline.release();
  assert.equal(getEventListeners(parent.signal, "abort").length, 0);
  const other = makeDeadline(clock, [parent.signal]);
  other.extend(10, "other");
  other.extend(undefined, "none");
  assert.equal(clock.timers.size, 0);
});

it("a parent's abort, earlier or later, aborts with its reason and is no expiry", () => {
  const parents = [new AbortController(), new AbortController()];
  const deadline = makeDeadline(
    manualClock(),
    parents.map(({ signal }) => signal),
  );
  parents[1]?.abort("why");
  assert.deepEqual([deadline.signal.reason, deadline.expired], ["why", false]);
  const late = makeDeadline(
    manualClock(),
    parents.map(({ signal }) => signal),
  );
  assert.equal(late.signal.reason, "why");
});

it("a parent's abort takes the timer away, released or not", () => {
  const clock = manualClock();
  const parent = new AbortController();
  makeDeadline(clock, [parent.signal]).extend(10, "late");
  assert.equal(clock.timers.size, 1);
  parent.abort();
  assert.equal(clock.timers.size, 0);
});

it("a race rejects with the reason at once when the promise does not settle, and leaves no listener", async () => {
  const parent = new AbortController();
  const deadline = makeDeadline(manualClock(), [parent.signal]);
  assert.equal(await deadline.race(Promise.resolve(7)), 7);
  const lost = deadline.race(new Promise(() => {}));
  parent.abort(new Error("gone"));
  await assert.rejects(lost, /gone/);
  await assert.rejects(deadline.race(Promise.resolve(7)), /gone/);
});
