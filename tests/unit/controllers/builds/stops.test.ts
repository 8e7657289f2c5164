import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { Stops } from "../../../../src/controllers/builds/stops.ts";
import { readJobRecord } from "../../../../src/core/job/record.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { InputError, TurboHipsterError } from "../../../../src/runtime/errors.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const AWAY = new TurboHipsterError("TH_TEST_AWAY", "no answer", { retryable: true });
const NUMBER = "unit-0123456789abcdef";

function stopOf(number: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ name: "unit", number }));
}

const VERDICT = '{"result":"SUCCESS","class":"success","rule":"exit-0","message":"ok"}';

function jobOf(number: string, name = number, more: Record<string, string> = {}): Job {
  const annotations = {
    "turbo-hipster.io/request": JSON.stringify({ server: "s", unique: "u", number, logPath: null, replica: "other", since: "" }),
    "turbo-hipster.io/timeouts": '{"pull":"10m","run":"1h"}',
    "turbo-hipster.io/function": "build:unit",
    ...more,
  };
  return makeJob({ metadata: { name, uid: `uid-${name}`, annotations, labels: { "turbo-hipster.io/task": "unit" } } });
}

function makeStops({ jobs = [] as Job[], here = [] as string[] } = {}) {
  const world = { isAnothers: false };
  const clock = makeManualClock();
  const stopped: string[] = [];
  const annotated: string[] = [];
  const written: Record<string, string>[] = [];
  const failures: Error[] = [];
  const stopping = new AbortController();
  const logged: [string, object][] = [];
  const makeLogger = (bound: object): Logger => {
    const log = (fields: object, message: string) => void logged.push([message, { ...bound, ...fields }]);
    return { ...silentLogger, info: log, warn: log, error: log, child: (more) => makeLogger({ ...bound, ...more }) };
  };
  const stops = new Stops({
    cluster: {
      now: () => clock.now(),
      cachedJobs: () => jobs,
      async annotateJob(_namespace, name, annotations, options) {
        annotated.push(options?.uid === `uid-${name}` ? name : `another ${name}`);
        const failure = failures.shift();
        if (failure) throw failure;
        written.push(annotations);
        return !world.isAnothers;
      },
    },
    find: (number) => (here.includes(number) ? { requestStop: () => void stopped.push(number) } : undefined),
    clock,
    logger: makeLogger({}),
  });
  return {
    ...{ stops, clock, stopped, annotated, written, failures, logged, stopping, world },
    request: (payload: Uint8Array) => stops.request(payload, stopping.signal),
    async noteJob(job: Job): Promise<void> {
      const record = readJobRecord(job);
      assert.ok(record);
      await stops.noteJob(job, record, stopping.signal);
    },
  };
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
    assert.deepEqual(annotated, [`${NUMBER}-r1`]);
  });

  test("is written as the moment when it is, again while the API server is away, and no oftener when it refuses for good", async () => {
    const { clock, written, annotated, failures, request } = makeStops({ jobs: [jobOf(NUMBER)] });
    failures.push(AWAY, ...Array.from({ length: 100 }, () => new InputError("you must not")));
    let isOver = false;
    const given = request(stopOf(NUMBER)).then(() => {
      isOver = true;
    });
    await immediate();
    assert.equal(annotated.length, 1);
    for (let tries = 0; tries < 60 && !isOver; tries += 1) {
      clock.skip(15_000);
      await immediate();
    }
    await given;
    assert.deepEqual([written, clock.pending], [[], 0]);
    failures.length = 0;
    failures.push(AWAY);
    const nowMs = clock.now().getTime();
    const passed = request(stopOf(NUMBER));
    await immediate();
    clock.skip(250);
    await passed;
    assert.deepEqual(written, [{ "turbo-hipster.io/cancelled": new Date(nowMs + 250).toISOString() }]);
  });

  for (const [what, job] of [
    ["that was cancelled already", jobOf(NUMBER, NUMBER, { "turbo-hipster.io/cancelled": "2026-11-01T00:00:00Z" })],
    ["that was delivered", jobOf(NUMBER, NUMBER, { "turbo-hipster.io/delivered": "2026-11-01T00:00:00Z" })],
    ["that has its verdict", jobOf(NUMBER, NUMBER, { "turbo-hipster.io/verdict": VERDICT })],
  ] as const) {
    test(`for a build of another replica ${what} is written nowhere`, async () => {
      const { annotated, request } = makeStops({ jobs: [job] });
      await request(stopOf(NUMBER));
      assert.deepEqual(annotated, []);
    });
  }

  test("for a build not known yet reaches whoever has its Job when that appears, once", async () => {
    const { annotated, request, noteJob } = makeStops();
    await request(stopOf(NUMBER));
    await noteJob(jobOf("other-0123456789abcdef"));
    await noteJob(jobOf(NUMBER));
    await noteJob(jobOf(NUMBER));
    assert.deepEqual(annotated, [NUMBER]);
  });

  test("that comes ten thousand times for one Job is written onto it once, though the watch is behind", async () => {
    const { annotated, request } = makeStops({ jobs: [jobOf(NUMBER)] });
    await Promise.all(Array.from({ length: 10_000 }, () => request(stopOf(NUMBER))));
    await request(stopOf(NUMBER));
    assert.deepEqual(annotated, [NUMBER]);
  });

  test("is known to be written for a thousand Jobs, the oldest of which may be told again", async () => {
    const numberAt = (index: number) => `unit-${index.toString(16).padStart(16, "0")}`;
    const jobs = Array.from({ length: 1001 }, (_, index) => jobOf(numberAt(index)));
    const { annotated, request } = makeStops({ jobs });
    for (let index = 0; index < 1000; index += 1) await request(stopOf(numberAt(index)));
    await request(stopOf(numberAt(0)));
    assert.equal(annotated.length, 1000);
    await request(stopOf(numberAt(1000)));
    await request(stopOf(numberAt(0)));
    assert.deepEqual(annotated.slice(1000), [numberAt(1000), numberAt(0)]);
  });

  test("for a build not known yet goes to it, and not through its Job, where it is carried out here by the time that the Job appears", async () => {
    const here: string[] = [];
    const { stopped, annotated, request, noteJob } = makeStops({ here });
    await request(stopOf(NUMBER));
    here.push(NUMBER);
    await noteJob(jobOf(NUMBER));
    assert.deepEqual([stopped, annotated], [[NUMBER], []]);
  });

  test("of ten thousand with numbers of all kinds costs the API server nothing, and those of builds are remembered to a bound", async () => {
    const { annotated, request, noteJob } = makeStops({ jobs: [jobOf(NUMBER)] });
    const numberAt = (index: number) => `unit-${index.toString(16).padStart(16, "0")}`;
    const hostile = ["unit", "../../x", "\u0000", "-", "a".repeat(253), "unit-0123456789ABCDEF", "__proto__", "unit-0123456789abcde"];
    await request(stopOf(numberAt(0)));
    for (let index = 0; index < 10_000; index += 1) await request(stopOf(hostile[index % hostile.length] ?? ""));
    await noteJob(jobOf(numberAt(0)));
    assert.deepEqual(annotated, [numberAt(0)], "what is no number of a build takes no place");
    for (let index = 0; index < 10_000; index += 1) await request(stopOf(numberAt(index)));
    await noteJob(jobOf(numberAt(8_999)));
    assert.deepEqual(annotated, [numberAt(0)], "the oldest go");
    await noteJob(jobOf(numberAt(9_000)));
    assert.deepEqual(annotated, [numberAt(0), numberAt(9_000)]);
  });

  describe("is logged", () => {
    const PASSED = "passes a stop on to the replica that carries the build out";
    const names = { build: NUMBER, job: NUMBER };

    test("as passed on where that is so, and not where the Job was another's, or the replica stops", async () => {
      const passed = makeStops({ jobs: [jobOf(NUMBER)] });
      await passed.request(stopOf(NUMBER));
      assert.deepEqual(passed.logged, [[PASSED, names]]);
      const refused = makeStops({ jobs: [jobOf(NUMBER)] });
      refused.world.isAnothers = true;
      await refused.request(stopOf(NUMBER));
      const stopped = makeStops({ jobs: [jobOf(NUMBER)] });
      stopped.failures.push(AWAY);
      const passing = stopped.request(stopOf(NUMBER));
      await immediate();
      stopped.stopping.abort();
      await passing;
      const lines = [...refused.logged, ...stopped.logged].map(([message]) => message);
      assert.deepEqual(lines, ["retries to pass a stop on"]);
    });

    test("as given up where the API server refuses it", async () => {
      const { clock, failures, logged, request } = makeStops({ jobs: [jobOf(NUMBER)] });
      const refusal = new InputError("you must not");
      failures.push(...Array.from({ length: 100 }, () => refusal));
      let isOver = false;
      const given = request(stopOf(NUMBER)).then(() => {
        isOver = true;
      });
      for (let tries = 0; tries < 60 && !isOver; tries += 1) {
        await immediate();
        clock.skip(15_000);
      }
      await given;
      assert.deepEqual(logged.at(-1), ["gives up passing a stop on: the build goes on", { ...names, err: refusal }]);
      assert.ok(!logged.some(([message]) => message === PASSED));
    });

    test("as remembered, or as ignored where it is for no build's number", async () => {
      const { logged, request } = makeStops();
      await request(stopOf(NUMBER));
      await request(stopOf("unit"));
      assert.deepEqual(logged, [
        ["remembers a stop for a build that is not known yet", { build: NUMBER }],
        ["ignores a stop request for what is no build's number", { build: "unit" }],
      ]);
    });
  });

  test("that names no build is ignored", async () => {
    const { stopped, annotated, request } = makeStops({ here: [""], jobs: [jobOf(NUMBER)] });
    for (const text of ["", "{}", "[]", '{"number":5}', "\u0000"]) await request(new TextEncoder().encode(text));
    assert.deepEqual([stopped, annotated], [[], []]);
  });
});
