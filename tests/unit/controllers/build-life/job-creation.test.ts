import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { type CreationOutcome, JobCreation } from "../../../../src/controllers/build-life/job-creation.ts";
import type { BuildCluster, JobCreated } from "../../../../src/controllers/ports.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { infrastructure, type Verdict } from "../../../../src/core/verdict/verdict.ts";
import { InputError, TurboHipsterError } from "../../../../src/runtime/errors.ts";
import { Wakeup } from "../../../../src/runtime/wakeup.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { makeJob } from "../../../support/objects/build-objects.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

const NAME = "unit-0123456789abcdef";
const MINUTE = 60_000;
const CUT = new TurboHipsterError("TH_TEST_CUT", "no answer", { retryable: true });

interface Changes {
  name?: string;
  unique?: string;
  parameters?: string;
  delivered?: boolean;
  metadata?: Partial<Job["metadata"]>;
}

/** The Job of one request, or of another that has the same number. */
function jobOf({ name = NAME, unique = "u", parameters = "{}", delivered = false, metadata }: Changes = {}): Job {
  const request = { server: "s:1", unique, number: NAME, logPath: null, replica: "me", since: "2026-11-01T00:00:00Z" };
  const annotations = {
    "turbo-hipster.io/request": JSON.stringify(request),
    "turbo-hipster.io/timeouts": '{"pull":"10m","run":"1h"}',
    "turbo-hipster.io/function": "build:unit",
    ...(delivered ? { "turbo-hipster.io/delivered": "2026-11-01T00:01:00Z" } : {}),
  };
  const labels = { "turbo-hipster.io/task": "unit", "turbo-hipster.io/installation": "i" };
  return makeJob({
    metadata: { name, uid: `uid-${name}`, annotations, labels, ...metadata },
    spec: { template: { metadata: { annotations: { "turbo-hipster.io/parameters": parameters } }, spec: { containers: [] } } },
  });
}

/** Earlier builds of a unique that is used again: each was answered. */
function answered(count: number): Job[] {
  return Array.from({ length: count }, (_, index) => jobOf({ name: index === 0 ? NAME : `${NAME}-r${index}`, delivered: true }));
}

/** One creation over an API server that holds these Jobs. */
function stage({ jobs = [] as Job[], delivered = [] as string[], scheduleMs = undefined as number | undefined } = {}) {
  const clock = makeManualClock();
  const stored = new Map(jobs.map((job) => [job.metadata.name, job]));
  const calls: string[] = [];
  const world = {
    /** Instead of what the API server would do with the next create: none is left, it does as always. */
    answers: [] as (JobCreated | Error | ((job: Job) => JobCreated))[],
    lost: [] as Error[],
    word: undefined as Verdict | undefined | false,
    quota: 0,
    waits: [] as string[],
  };
  const cluster = {
    async createJob(job: Job): Promise<JobCreated> {
      const { name } = job.metadata;
      calls.push(`create ${name}`);
      const answer = world.answers.shift();
      if (answer instanceof Error) throw answer;
      if (typeof answer === "function") return answer(job);
      if (answer) return answer;
      if (stored.has(name)) return { kind: "exists" };
      stored.set(name, job);
      const lost = world.lost.shift();
      if (lost) throw lost;
      return { kind: "created", job };
    },
    async getJob(_namespace: string, name: string) {
      calls.push(`get ${name}`);
      return stored.get(name);
    },
    async deleteJob(_namespace: string, name: string) {
      calls.push(`delete ${name}`);
      stored.delete(name);
    },
  } as unknown as BuildCluster;
  const wakeup = new Wakeup(clock);
  const creation = new JobCreation({
    ...{ cluster, job: jobOf(), logger: silentLogger, wakeup, clock, scheduleMs },
    isDelivered: ({ metadata: { name } }) => delivered.includes(name),
    onQuotaFull: () => (world.quota += 1),
    onWaiting: (why) => void world.waits.push(why),
  });
  const stopping = new AbortController();
  let outcome: CreationOutcome | undefined;
  const settle = async () => {
    for (let turn = 0; turn < 6; turn += 1) await immediate();
  };
  const pass = async (ms: number) => {
    await settle();
    for (let leftMs = ms; leftMs > 0 && !outcome; leftMs -= 5_000) {
      clock.skip(Math.min(leftMs, 5_000));
      await settle();
    }
    return outcome;
  };
  return {
    ...{ creation, world, calls, stored, wakeup, clock, settle, pass },
    names: () => [...stored.keys()],
    stop: () => stopping.abort(),
    outcome: () => outcome,
    /** Lets it go on for so long; returns what came of it, undefined if nothing has by then. */
    async run(ms = 0): Promise<CreationOutcome | undefined> {
      const made = creation.run(() => world.word, stopping.signal);
      void made.then((result) => {
        outcome = result;
      });
      return pass(ms);
    },
  };
}

/** What came of it, in short. */
function told(outcome: CreationOutcome | undefined): string {
  if (!outcome) return "nothing";
  if (outcome.kind === "created" || outcome.kind === "found") return `${outcome.kind} ${outcome.job.metadata.name}`;
  return outcome.kind === "impossible" ? `${outcome.verdict.class} ${outcome.verdict.rule}` : outcome.kind;
}

describe("a build's Job", () => {
  test("is made once, by one call", async () => {
    const { run, calls } = stage();
    assert.equal(told(await run()), `created ${NAME}`);
    assert.deepEqual(calls, [`create ${NAME}`]);
  });

  test("that is there already, made for the same request, is found", async () => {
    const { run, calls } = stage({ jobs: [jobOf()] });
    assert.equal(told(await run()), `found ${NAME}`);
    assert.deepEqual(calls, [`create ${NAME}`, `get ${NAME}`]);
  });

  test("that was made though the answer was lost is found, and there is no second one", async () => {
    const { run, world, names, creation } = stage();
    world.lost.push(CUT);
    assert.equal(creation.mayExist, false);
    assert.equal(told(await run(MINUTE)), `found ${NAME}`);
    assert.deepEqual([names(), creation.mayExist], [[NAME], true]);
  });

  const OTHERS: [string, Changes][] = [
    ["of another request", { unique: "other" }],
    ["of other parameters", { parameters: '{"A":"1"}' }],
    ["whose answer was delivered", { delivered: true }],
    ["that is being deleted", { metadata: { deletionTimestamp: "2026-11-01T00:00:00Z" } }],
    ["of another installation", { metadata: { labels: { "turbo-hipster.io/task": "unit", "turbo-hipster.io/installation": "j" } } }],
  ];
  for (const [what, changes] of OTHERS) {
    test(`has another name where one ${what} holds the wanted one`, async () => {
      const { run, names } = stage({ jobs: [jobOf(changes)] });
      assert.equal(told(await run()), `created ${NAME}-r1`);
      assert.deepEqual(names(), [NAME, `${NAME}-r1`]);
    });
  }

  test("has another name where the answer was delivered by this replica, though the Job does not say so yet", async () => {
    const { run } = stage({ jobs: [jobOf()], delivered: [NAME] });
    assert.equal(told(await run()), `created ${NAME}-r1`);
  });

  for (const count of [1, 2, 3, 4, 7, 8, 9, 1000]) {
    test(`has the first free name after ${count} that are held, and asks few times`, async () => {
      const { run, calls } = stage({ jobs: answered(count) });
      assert.equal(told(await run()), `created ${NAME}-r${count}`);
      assert.ok(calls.length <= 4 + 2 * Math.ceil(Math.log2(count + 1)), `${calls.length} calls`);
    });

    test(`is found behind ${count} that are held`, async () => {
      const { run, names } = stage({ jobs: [...answered(count), jobOf({ name: `${NAME}-r${count}` })] });
      assert.equal(told(await run()), `found ${NAME}-r${count}`);
      assert.equal(names().length, count + 1);
    });
  }

  test("has the next name where another build takes the free one first", async () => {
    const { run, world, stored } = stage({ jobs: answered(1) });
    world.answers.push(
      () => ({ kind: "exists" }),
      () => {
        stored.set(`${NAME}-r1`, jobOf({ name: `${NAME}-r1`, unique: "other" }));
        return { kind: "exists" };
      },
    );
    assert.equal(told(await run()), `created ${NAME}-r2`);
  });

  test("has the wanted name where what held it is gone by the next look", async () => {
    const { run, world } = stage();
    world.answers.push({ kind: "exists" });
    assert.equal(told(await run()), `created ${NAME}`);
  });

  test("that can have no name ends the build in vain, not for ever", async () => {
    const { run } = stage({ jobs: answered(10_000) });
    assert.equal(told(await run()), "infrastructure name-taken");
  });

  test("that is refused is a configuration error with the refusal", async () => {
    const { run, world, calls } = stage();
    world.answers.push({ kind: "refused", message: 'jobs.batch "x" is forbidden: no' });
    const outcome = await run();
    assert.equal(told(outcome), "configuration job-refused");
    assert.match(outcome?.kind === "impossible" ? (outcome.verdict.result ?? "") : "", /^CONFIG_ERROR - /);
    assert.equal(calls.length, 1);
  });

  test("is tried again for as long as the API server is away, and given up in vain when it refuses the call itself for minutes", async () => {
    const away = stage();
    away.world.answers.push(...Array.from({ length: 100 }, () => CUT));
    assert.equal(told(await away.run(15 * MINUTE)), "nothing");
    away.world.answers.length = 0;
    assert.equal(told(await away.pass(MINUTE)), `created ${NAME}`);
    const refused = stage();
    refused.world.answers.push(...Array.from({ length: 100 }, () => new InputError("you must not")));
    assert.equal(told(await refused.run(15 * MINUTE)), "infrastructure job-not-created");
  });

  test("is not made when the build is over before, and the same call tells why", async () => {
    const { run, world, calls } = stage();
    world.word = infrastructure("unclaimed", "nobody asks");
    assert.equal(told(await run()), "infrastructure unclaimed");
    assert.deepEqual(calls, []);
  });

  test("is looked after when the build is given up and a create may have taken effect, else it is given up", async () => {
    const made = stage();
    made.world.lost.push(CUT);
    await made.run();
    made.world.word = false;
    assert.equal(told(await made.pass(MINUTE)), `found ${NAME}`);
    const none = stage();
    none.world.answers.push(CUT);
    await none.run();
    none.world.word = false;
    assert.equal(told(await none.pass(MINUTE)), "given-up");
    const never = stage({ jobs: [jobOf()] });
    never.world.word = false;
    assert.equal(told(await never.run()), "given-up");
    assert.deepEqual(never.calls, [], "nothing was tried");
  });

  test("is not tried again once the replica stops", async () => {
    const { run, world, stop, settle, outcome, calls, clock } = stage();
    world.answers.push(CUT, CUT);
    await run();
    stop();
    await settle();
    assert.deepEqual([told(outcome()), calls.length, clock.pending], ["stopped", 1, 0]);
  });

  test("that nobody has seen is deleted after all, and no other build's in its place", async () => {
    const mine = stage({ jobs: [jobOf()] });
    await mine.creation.deleteUnseen();
    assert.deepEqual(mine.names(), []);
    for (const changes of [{ unique: "other" }, { delivered: true }]) {
      const other = stage({ jobs: [jobOf(changes)] });
      await other.creation.deleteUnseen();
      assert.deepEqual(other.names(), [NAME]);
    }
  });
});

describe("a build's Job that a full quota keeps away", () => {
  const FULL: JobCreated = { kind: "full", message: "exceeded quota: count/jobs.batch=2" };
  const full = (count: number) => Array.from({ length: count }, () => FULL);

  test("is waited for without an end where its task sets none, is told of once, and others are asked to give way each time", async () => {
    const { run, pass, world, calls } = stage();
    world.answers.push(...full(1000));
    assert.equal(told(await run(60 * MINUTE)), "nothing");
    assert.deepEqual(world.waits, [FULL.kind === "full" ? FULL.message : ""]);
    assert.equal(world.quota, calls.length);
    // From a second to a quarter of a minute apart, half of each by chance.
    assert.ok(calls.length > 240 && calls.length < 500, `${calls.length} tries`);
    world.answers.length = 0;
    assert.equal(told(await pass(MINUTE)), `created ${NAME}`);
  });

  test("ends its build in vain when its task's time is over, and not before", async () => {
    const { run, pass, world } = stage({ scheduleMs: 5 * MINUTE });
    world.answers.push(...full(1000));
    assert.equal(told(await run(5 * MINUTE - 1)), "nothing");
    assert.equal(told(await pass(1)), "infrastructure schedule-timeout");
  });

  test("is tried soon again when somebody wakes the build", async () => {
    const { run, wakeup, settle, outcome, world } = stage();
    world.answers.push(FULL);
    await run();
    wakeup.wake();
    await settle();
    assert.equal(told(outcome()), `created ${NAME}`);
  });
});
