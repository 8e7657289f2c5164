import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { TemplateReviews } from "../../../../src/controllers/test-tasks/template-reviews.ts";
import type { TemplateReview } from "../../../../src/core/job/template-review.ts";
import { type TestTask, testTaskKey } from "../../../../src/core/test-task/test-task.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

const AN_HOUR = 3_600_000;
const ACCEPTED: TemplateReview = { kind: "accepted", warnings: [] };
const REFUSED: TemplateReview = { kind: "refused", message: "its Pod: no", warnings: [] };

const taskNamed = (name: string, metadata: object = {}) => makeTask({}, { name, uid: `uid-${name}`, generation: 1, ...metadata });

async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await immediate();
}

/** Reviews whose answers the test gives; `reviewed` resolves at the next result. */
async function startReviews(answer: (task: string) => TemplateReview | Error) {
  const clock = makeSkippingClock();
  const asked: string[] = [];
  let next = Promise.withResolvers<void>();
  const reviews = new TemplateReviews({
    reviewer: {
      async review([first]) {
        const name = first?.object.metadata.name.replace(/-template-review$/, "") ?? "";
        asked.push(name);
        const answered = answer(name);
        if (answered instanceof Error) throw answered;
        return answered;
      },
    },
    settings: { installation: "test", image: "turbo-hipster:1", internalUrl: "http://operator:8081", checkout: { allowedUrls: [] } },
    clock,
    logger: silentLogger,
    onReviewed() {
      next.resolve();
      next = Promise.withResolvers();
    },
  });
  await reviews.start();
  return {
    reviews,
    clock,
    asked,
    reviewed: () => next.promise,
    /** Lets time pass, and what it brings be done. */
    async skip(ms: number): Promise<void> {
      await settle();
      clock.skip(ms);
      await settle();
    },
    set: (...tasks: TestTask[]) => reviews.setTasks(new Map(tasks.map((task) => [testTaskKey(task), task]))),
    async [Symbol.asyncDispose]() {
      await settle();
      await reviews.stop();
      assert.equal(clock.pending, 0, "no timer is left");
    },
  };
}

describe("a TestTask's Job and pods", () => {
  test("are asked about once for each generation, and not when its status has changed", async () => {
    await using stage = await startReviews(() => ACCEPTED);
    const task = taskNamed("a");
    let reviewed = stage.reviewed();
    stage.set(task);
    await reviewed;
    assert.deepEqual(stage.reviews.of(task), ACCEPTED);
    for (const resourceVersion of ["2", "3"]) {
      stage.set(taskNamed("a", { resourceVersion }));
      await stage.skip(24 * 3_600_000);
    }
    assert.deepEqual(stage.asked, ["a"]);
    reviewed = stage.reviewed();
    const edited = taskNamed("a", { generation: 2 });
    assert.equal(stage.reviews.of(edited), undefined, "what was found for another generation does not count");
    stage.set(edited);
    await reviewed;
    assert.deepEqual(stage.asked, ["a", "a"]);
  });

  test("are asked about again when the task was deleted and made anew", async () => {
    await using stage = await startReviews(() => ACCEPTED);
    let reviewed = stage.reviewed();
    stage.set(taskNamed("a"));
    await reviewed;
    reviewed = stage.reviewed();
    stage.set(taskNamed("a", { uid: "another" }));
    await reviewed;
    assert.deepEqual(stage.asked, ["a", "a"]);
  });

  test("that are refused are asked about again, ever more seldom: a ServiceAccount may come later", async () => {
    let answer: TemplateReview = REFUSED;
    await using stage = await startReviews(() => answer);
    let reviewed = stage.reviewed();
    stage.set(taskNamed("a"));
    await reviewed;
    for (const [index, delayMs] of [10_000, 60_000, 600_000, 600_000].entries()) {
      assert.deepEqual(stage.reviews.of(taskNamed("a")), REFUSED);
      await stage.skip(delayMs - 1000);
      stage.set(taskNamed("a"));
      await stage.skip(0);
      assert.equal(stage.asked.length, index + 1, `not before ${delayMs} ms`);
      if (index === 3) answer = ACCEPTED;
      reviewed = stage.reviewed();
      stage.clock.skip(1000);
      await reviewed;
    }
    assert.deepEqual(stage.reviews.of(taskNamed("a")), ACCEPTED);
    await stage.skip(24 * 3_600_000);
    assert.equal(stage.asked.length, 5, "what is accepted is not asked about again");
  });

  test("are unknown while the API server does not say; it is asked eight times more, then every ten minutes", async () => {
    await using stage = await startReviews(() => new Error("connection refused"));
    let reviewed = stage.reviewed();
    stage.set(taskNamed("a"));
    for (let tries = 1; tries <= 9; tries += 1) {
      await reviewed;
      assert.deepEqual(stage.reviews.of(taskNamed("a")), { kind: "unknown", message: "connection refused" });
      assert.equal(stage.asked.length, tries);
      reviewed = stage.reviewed();
      if (tries < 9) stage.clock.skip(60_000);
    }
    await stage.skip(590_000);
    assert.equal(stage.asked.length, 9);
    stage.clock.skip(10_000);
    await reviewed;
    assert.equal(stage.asked.length, 10);
  });

  test("are awaited until there is an answer of any kind", async () => {
    let answer: TemplateReview | Error = new Error("x");
    await using stage = await startReviews(() => answer);
    const task = taskNamed("a");
    stage.clock.skip(AN_HOUR);
    assert.equal(stage.reviews.awaitedMs(task), undefined);
    let reviewed = stage.reviewed();
    stage.set(task);
    assert.ok((stage.reviews.awaitedMs(task) ?? -1) >= 0);
    assert.ok((stage.reviews.awaitedMs(task) ?? 0) < AN_HOUR, "since it came, not since the beginning");
    await reviewed;
    assert.equal(stage.reviews.awaitedMs(task), undefined);
    answer = ACCEPTED;
    reviewed = stage.reviewed();
    stage.set(taskNamed("a", { generation: 2 }));
    assert.equal(stage.reviews.awaitedMs(task), undefined, "an older generation is not awaited");
    assert.ok(stage.reviews.awaitedMs(taskNamed("a", { generation: 2 })) !== undefined);
    await reviewed;
  });

  test("of one task that is refused keep no other from being asked about", async () => {
    await using stage = await startReviews((name) => (name === "a" ? REFUSED : name === "b" ? new Error("x") : ACCEPTED));
    const tasks = ["a", "b", "c"].map((name) => taskNamed(name));
    stage.set(...tasks);
    while (tasks.some((task) => !stage.reviews.of(task))) await stage.reviewed();
    assert.deepEqual(
      tasks.map((task) => stage.reviews.of(task)?.kind),
      ["refused", "unknown", "accepted"],
    );
  });

  test("that cannot be rendered are asked about nobody, and the field is told", async () => {
    await using stage = await startReviews(() => ACCEPTED);
    const task = taskNamed("a");
    Object.assign(task.spec, { template: { spec: { containers: [{ name: "test", image: "i" }], volumes: {} } } });
    const reviewed = stage.reviewed();
    stage.set(task);
    await reviewed;
    const result = stage.reviews.of(task);
    assert.ok(result?.kind === "unrenderable", JSON.stringify(result));
    assert.match(result.message, /^TestTask a makes no Job, look at spec\.template/);
    assert.deepEqual(stage.asked, []);
  });

  test("of a task that is gone are forgotten", async () => {
    await using stage = await startReviews(() => REFUSED);
    const reviewed = stage.reviewed();
    stage.set(taskNamed("a"));
    await reviewed;
    stage.set();
    assert.equal(stage.reviews.of(taskNamed("a")), undefined);
    stage.clock.skip(3_600_000);
    assert.deepEqual(stage.asked, ["a"]);
  });
});
