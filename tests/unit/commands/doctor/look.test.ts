import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { failed, ok } from "../../../../src/commands/doctor/finding.ts";
import { LOOK_MS, look } from "../../../../src/commands/doctor/look.ts";
import { InputError } from "../../../../src/runtime/errors.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";

const explain = (why: string) => [failed("it", why, "mend it")];

describe("a look", () => {
  test("is what it finds, and leaves no timer", async () => {
    const clock = makeManualClock();
    const { signal } = new AbortController();
    assert.deepEqual(await look({ clock, signal }, async () => [ok("it", "well")], explain), [ok("it", "well")]);
    assert.deepEqual(await look({ clock, signal }, () => Promise.reject(new Error("gone")), explain), explain("gone"));
    assert.equal(clock.pending, 0);
  });

  test("that takes too long is told to end, and left behind if it does not", async () => {
    const clock = makeManualClock();
    const { signal } = new AbortController();
    let told: AbortSignal | undefined;
    const { promise, reject } = Promise.withResolvers<never>();
    const looking = look(
      { clock, signal },
      (late) => {
        told = late;
        return promise;
      },
      explain,
    );
    clock.skip(LOOK_MS - 1);
    assert.equal(told?.aborted, false);
    clock.skip(1);
    assert.equal(told?.aborted, true);
    assert.deepEqual(await looking, explain("no answer within 30 s"));
    // Nobody listens any more: this must not end the process.
    reject(new Error("much later"));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(clock.pending, 0);
  });

  test("that nobody waits for any more ends with the reason, before it begins and while it goes on", async () => {
    const clock = makeManualClock();
    const interrupt = new AbortController();
    const looking = look({ clock, signal: interrupt.signal }, () => new Promise(() => {}), explain);
    interrupt.abort(new InputError("interrupted"));
    await assert.rejects(looking, /interrupted/);
    await assert.rejects(
      look({ clock, signal: interrupt.signal }, () => assert.fail("it is not begun"), explain),
      /interrupted/,
    );
    assert.equal(clock.pending, 0);
  });
});
