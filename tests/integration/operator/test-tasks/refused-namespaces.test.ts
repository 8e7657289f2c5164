import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JOBS, PODS, TEST_TASKS } from "../../../../src/kube/client/resource.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, numberOf, type Stage, startStage } from "../stage.ts";

const start = () => startGearmand();
const OTHER = "other";
const BOTH = { namespaces: ["ci", OTHER] };

/** The API server answers 403 for these resources in a namespace until `end`. */
function refuse(stage: Stage, resources: readonly string[], namespace = OTHER) {
  const effect = { kind: "status", code: 403, reason: "Forbidden", message: "no right at all" } as const;
  const faults = resources.map((resource) => stage.kube.misbehave({ verb: "list", resource, namespace }, effect, Number.POSITIVE_INFINITY));
  return {
    end() {
      for (const fault of faults) fault.stop();
      stage.clock.skip(31_000);
    },
  };
}

async function readyz(stage: Stage): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${stage.operator.ports.internal}/readyz`, { headers: { connection: "close" } });
  return { status: answer.status, text: await answer.text() };
}

describe("a served namespace that may not be read", () => {
  for (const resource of ["jobs", "pods", "testtasks"]) {
    test(`because of its ${resource} keeps no other waiting; its builds wait, none is refused, and none is run twice`, async () => {
      const finished = Promise.withResolvers<void>();
      await using stage = await startStage({
        start,
        config: BOTH,
        tasks: { unit: {} },
        script: (job) => (job.metadata.namespace === OTHER ? { finished: finished.promise } : {}),
      });
      stage.kube.create(TEST_TASKS, OTHER, { metadata: { name: "elsewhere" }, spec: { image: "test:1", maxConcurrent: 2 } });
      const running = await stage.submit("elsewhere");
      await numberOf(running);
      const pods = () => stage.kube.list(PODS, OTHER);
      await stage.until(() => pods()[0]?.status?.phase === "Running", "the running pod");
      await stage.stopOperator();

      const refusal = refuse(stage, [resource]);
      await stage.startOperator();
      await stage.operator.ready();
      assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
      const waiting = await stage.submit("elsewhere");
      assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
      assert.equal(waiting.events.items.filter(({ kind }) => kind === "data").length, 0, "nobody has taken it");
      assert.equal(stage.kube.list(JOBS, OTHER).length, 1);
      const line = await stage.logged("serves nothing in a namespace that it may not read");
      assert.deepEqual([line.level, line.fields.namespace, line.fields.resource], ["error", OTHER, resource]);
      const { status, text } = await readyz(stage);
      assert.equal(status, 200);
      assert.match(text, new RegExp(`^namespace other is not served yet - ${resource}: list ${resource} other: no right at all`, "m"));
      stage.clock.skip(60_000);
      assert.ok(((await stage.scrape())[`turbo_hipster_watch_age_seconds{resource="${resource}"}`] ?? 0) > 59);

      refusal.end();
      finished.resolve();
      assert.deepEqual([(await answerOf(running)).result, (await answerOf(waiting)).result], ["SUCCESS", "SUCCESS"]);
      assert.deepEqual([stage.kube.list(JOBS, OTHER).length, pods().length], [2, 2]);
      assert.doesNotMatch((await readyz(stage)).text, /not served/);
    });
  }

  test("that is the only one leaves the operator unready, and it says why", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, startsOperator: false });
    const refusal = refuse(stage, ["jobs"], "ci");
    await stage.startOperator();
    await stage.logged("serves nothing in a namespace that it may not read");
    const { status, text } = await readyz(stage);
    assert.equal(status, 503);
    assert.match(text, /^namespace ci is not served yet - .*jobs: list jobs ci: no right at all/m);
    refusal.end();
    await stage.operator.ready();
    assert.equal((await answerOf(await stage.submit("unit"))).result, "SUCCESS");
  });
});
