import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { InputError, TurboHipsterError } from "../../../src/runtime/errors.ts";
import { MAX_REFUSALS, MAX_REFUSED_MS, type Retried, retry } from "../../../src/runtime/retry.ts";
import { Wakeup } from "../../../src/runtime/wakeup.ts";
import { makeManualClock } from "../../support/manual-clock.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const TIMED_OUT = new TurboHipsterError("TH_TEST_TIMEOUT", "no answer", { retryable: true });
const REFUSED = new InputError("you must not");
const ONE_HOUR_MS = 3_600_000;

/** Calls that fail with these errors, one after another, and then work; time passes by itself while it pauses. */
async function play(errors: readonly unknown[], options: { stopAfter?: number } = {}) {
  const clock = makeManualClock();
  const stopping = new AbortController();
  let calls = 0;
  let outcome: Retried<string> | undefined;
  const call = async () => {
    const error = errors[calls];
    calls += 1;
    if (calls === options.stopAfter) stopping.abort();
    if (error !== undefined) throw error;
    return "worked";
  };
  const run = retry(
    call,
    { what: "try", firstMs: 100, maxMs: 1000, wakeup: new Wakeup(clock), clock, logger: silentLogger },
    stopping.signal,
  );
  const done = run.then((retried) => {
    outcome = retried;
  });
  const pauses: number[] = [];
  while (outcome === undefined) {
    await immediate();
    if (outcome !== undefined || clock.pending === 0) continue;
    const fromMs = clock.monotonicMs();
    while (clock.pending > 0) clock.skip(1);
    pauses.push(clock.monotonicMs() - fromMs);
    assert.ok(clock.monotonicMs() < ONE_HOUR_MS, "goes on for ever");
  }
  await done;
  return { outcome, calls, pauses, pending: clock.pending };
}

describe("a call that is tried again", () => {
  test("is made once where it works", async () => {
    assert.deepEqual(await play([]), { outcome: { kind: "done", value: "worked" }, calls: 1, pauses: [], pending: 0 });
  });

  test("goes on however often there is no answer, with pauses that grow up to their limit", async () => {
    const { outcome, calls, pauses } = await play(Array.from({ length: 50 }, () => TIMED_OUT));
    assert.deepEqual([outcome, calls], [{ kind: "done", value: "worked" }, 51]);
    assert.ok(pauses.every((ms) => ms <= 1001) && (pauses[0] ?? 0) <= 101 && pauses.slice(5).every((ms) => ms >= 500), `${pauses}`);
  });

  test("is not given up for one refusal after many time-outs", async () => {
    const { outcome, calls } = await play([...Array.from({ length: MAX_REFUSALS }, () => TIMED_OUT), REFUSED]);
    assert.deepEqual([outcome, calls], [{ kind: "done", value: "worked" }, MAX_REFUSALS + 2]);
  });

  const REFUSALS = Array.from({ length: 1000 }, () => REFUSED);
  const total = (pauses: readonly number[]) => pauses.reduce((sum, ms) => sum + ms, 0);

  test("is given up when it was refused for five minutes, with or without time-outs in between", async () => {
    for (const errors of [REFUSALS, REFUSALS.flatMap((refusal) => [TIMED_OUT, refusal])]) {
      const { outcome, pauses } = await play(errors);
      assert.deepEqual(outcome, { kind: "given-up", error: REFUSED });
      assert.ok(total(pauses) >= MAX_REFUSED_MS && total(pauses) < MAX_REFUSED_MS + 10_000, `${total(pauses)} ms`);
    }
  });

  test("is not given up for a few refusals long after one another", async () => {
    const manyTimeouts = Array.from({ length: 500 }, () => TIMED_OUT);
    const { outcome } = await play([...Array.from({ length: MAX_REFUSALS - 1 }, () => [REFUSED, ...manyTimeouts]).flat()]);
    assert.deepEqual(outcome, { kind: "done", value: "worked" });
  });

  test("is not given up for many refusals in a moment, which pass", async () => {
    const { outcome, calls } = await play(REFUSALS.slice(0, 5 * MAX_REFUSALS));
    assert.deepEqual([outcome, calls], [{ kind: "done", value: "worked" }, 5 * MAX_REFUSALS + 1]);
  });

  test("tells what was thrown as an Error, whatever it was", async () => {
    const { outcome } = await play(Array.from({ length: 1000 }, () => "text"));
    assert.ok(outcome?.kind === "given-up" && outcome.error.message === "text");
  });

  test("is tried no more, nor waited for, once it is to stop; one that has worked by then has worked", async () => {
    const failed = await play([TIMED_OUT, TIMED_OUT, TIMED_OUT], { stopAfter: 2 });
    assert.deepEqual([failed.outcome, failed.calls, failed.pending], [{ kind: "stopped" }, 2, 0]);
    assert.deepEqual((await play([], { stopAfter: 1 })).outcome, { kind: "done", value: "worked" });
  });
});
