import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { Stops } from "../../../../src/controllers/builds/stops.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { InputError, TurboHipsterError } from "../../../../src/runtime/errors.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const AN_HOUR_MS = 60 * 60_000;
const AWAY = new TurboHipsterError("TH_TEST_AWAY", "no answer", { retryable: true });
const DAY_MS = 24 * 60 * 60_000;
const NUMBER = "unit-0123456789abcdef";

function stopOf(number: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ name: "unit", number }));
}

function jobOf(number: string, name = number): Job {
  const annotations = {
    "turbo-hipster.io/request": JSON.stringify({ server: "s", unique: "u", number, logPath: null, replica: "other", since: "" }),
    "turbo-hipster.io/timeouts": '{"pull":"10m","run":"1h"}',
    "turbo-hipster.io/function": "build:unit",
  };
  return makeJob({ metadata: { name, annotations, labels: { "turbo-hipster.io/task": "unit" } } });
}

function makeStops({ jobs = [] as Job[], here = [] as string[] } = {}) {
  const clock = makeManualClock();
  const stopped: string[] = [];
  const annotated: string[] = [];
  const written: Record<string, string>[] = [];
  const failures: Error[] = [];
  const stopping = new AbortController();
  const stops = new Stops({
    cluster: {
      cachedJobs: () => jobs,
      async annotateJob(_namespace, name, annotations, options) {
        annotated.push(options?.uid === undefined ? name : `${name} ${options.uid}`);
        const failure = failures.shift();
        if (failure) throw failure;
        written.push(annotations);
        return true;
      },
    },
    find: (number) => (here.includes(number) ? { requestStop: () => void stopped.push(number) } : undefined),
    clock,
    logger: silentLogger,
  });
  return { stops, clock, stopped, annotated, written, failures, request: (payload: Uint8Array) => stops.request(payload, stopping.signal) };
}

describe("a stop of Zuul's", () => {
  test("for a build that is carried out here goes to it, and to nobody else", async () => {
    const { stopped, annotated, request } = makeStops({ here: [NUMBER], jobs: [jobOf(NUMBER)] });
    await request(stopOf(NUMBER));
    assert.deepEqual([stopped, annotated], [[NUMBER], []]);
  });

  test("for a build of another replica is written onto that very Job, whatever its name", async () => {
    const { annotated, request } = makeStops({ jobs: [jobOf(`${NUMBER}0`), jobOf(NUMBER, `${NUMBER}-r1`)] });
    await request(stopOf(NUMBER));
    assert.deepEqual(annotated, [`${NUMBER}-r1 job-uid`]);
  });

  test("is written as the moment when it came, again while the API server is away, and no oftener when it refuses for good", async () => {
    const { clock, written, annotated, failures, request } = makeStops({ jobs: [jobOf(NUMBER)] });
    failures.push(AWAY);
    const passed = request(stopOf(NUMBER));
    await immediate();
    assert.deepEqual([annotated.length, written], [1, []]);
    clock.skip(250);
    await passed;
    assert.deepEqual(written, [{ "turbo-hipster.io/cancelled": "1970-01-01T00:00:00.250Z" }]);
    failures.push(...Array.from({ length: 100 }, () => new InputError("you must not")));
    let isOver = false;
    const given = request(stopOf(NUMBER)).then(() => {
      isOver = true;
    });
    for (let tries = 0; tries < 60 && !isOver; tries += 1) {
      clock.skip(15_000);
      await immediate();
    }
    await given;
    assert.deepEqual([written.length, clock.pending], [1, 0]);
  });

  test("is forgotten by no other that comes hours later", async () => {
    const { stops, clock, request } = makeStops();
    clock.skip(20 * AN_HOUR_MS);
    await request(stopOf(NUMBER));
    clock.skip(AN_HOUR_MS);
    await request(stopOf("unit-other"));
    assert.deepEqual([stops.takeEarly(NUMBER), stops.takeEarly("unit-other")], [true, true]);
  });

  test("for a build not known yet is remembered for a day, and told once", async () => {
    const { stops, clock, request } = makeStops();
    await request(stopOf(NUMBER));
    assert.equal(stops.takeEarly("unit-other"), false);
    clock.skip(DAY_MS);
    assert.deepEqual([stops.takeEarly(NUMBER), stops.takeEarly(NUMBER)], [true, false]);
    await request(stopOf(NUMBER));
    clock.skip(DAY_MS + 1);
    assert.equal(stops.takeEarly(NUMBER), false);
  });

  test("is one of a thousand that are remembered at most: the oldest go", async () => {
    const { stops, request } = makeStops();
    for (let each = 0; each < 1001; each += 1) await request(stopOf(`unit-${each}`));
    assert.deepEqual([stops.takeEarly("unit-0"), stops.takeEarly("unit-1"), stops.takeEarly("unit-1000")], [false, true, true]);
  });

  test("that names no build is ignored", async () => {
    const { stopped, annotated, request } = makeStops({ here: [""], jobs: [jobOf(NUMBER)] });
    for (const text of ["", "{}", "[]", '{"number":5}', "\u0000"]) await request(new TextEncoder().encode(text));
    assert.deepEqual([stopped, annotated], [[], []]);
  });
});
