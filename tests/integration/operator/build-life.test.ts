import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startGeard } from "../../support/geard.ts";
import { startGearmand } from "../../support/gearmand.ts";
import { answerOf, dataOf, NAMESPACE, recordOf, startStage } from "./stage.ts";

for (const [kind, start] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as const) {
  describe(`a build through ${kind}`, () => {
    test("is accepted at once, made a Job, followed, answered and recorded", async () => {
      await using stage = await startStage({ start, tasks: { unit: { jobs: ["gate-unit"] } } });
      const build = await stage.submit("gate-unit", { parameters: { ZUUL_PROJECT: "nova" } });
      const answer = await answerOf(build);
      assert.equal(answer.result, "SUCCESS");
      const [first] = dataOf(build);
      const number = String(first?.number);
      assert.match(number, /^unit-[0-9a-f]{16}$/);
      assert.deepEqual([first?.name, first?.manager, first?.worker_program], ["gate-unit", "turbo-hipster-turbo-hipster", "turbo-hipster"]);
      assert.deepEqual([answer.data.node_name, answer.data.node_labels], ["fake-node", []]);
      const steps = build.events.items.flatMap((event) => (event.kind === "status" ? [[event.numerator, event.denominator]] : []));
      assert.deepEqual(steps[0], [0, 6]);
      assert.deepEqual(steps.at(-1), [6, 6]);
      const job = await stage.recorded(number);
      assert.deepEqual(recordOf(job), { rule: "exit-0", result: "SUCCESS", isDelivered: true });
      assert.deepEqual([job.metadata.namespace, job.spec.ttlSecondsAfterFinished], [NAMESPACE, 86_400]);
      assert.equal(stage.pods().length, 1);
    });
  });
}
