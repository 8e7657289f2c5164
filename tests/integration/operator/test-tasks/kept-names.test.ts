import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CONFIG_MAPS } from "../../../../src/kube/client/resource.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { answerOf, NAMESPACE, startStage } from "../stage.ts";

const NAMES = "turbo-hipster-functions";
const start = () => startGearmand();

describe("an API server that hangs on the names that were kept", () => {
  test("delays registering by seconds, and loses none of them", async () => {
    await using stage = await startStage({ start, tasks: { unit: {} }, startsOperator: false });
    stage.kube.create(CONFIG_MAPS, NAMESPACE, {
      metadata: { name: NAMES },
      data: { functions: `{"build:old":"${new Date().toISOString()}"}` },
    });
    const retries = () => stage.log.items.filter(({ message }) => message === "retries to read the functions that were served before");
    const fault = stage.kube.misbehave({ resource: "configmaps" }, { kind: "hang" }, Number.POSITIVE_INFINITY);
    const old = await stage.submit("old");
    const unit = await stage.submit("unit");
    await stage.startOperator();
    // So long a try may take; what others wait for is not skipped, or the ten seconds would be over after two tries.
    const leave = stage.clock.onSchedule((delayMs) => delayMs === 3000 && setImmediate(() => stage.clock.skip(delayMs)));
    await stage.logged("goes on without the functions that were served before, until they can be read");
    leave();
    assert.equal((await answerOf(unit)).result, "SUCCESS");
    // Counted here: what is skipped may end a call before the API server has seen it.
    assert.ok(retries().length >= 3, `${retries().length} retries`);

    fault.stop();
    await stage.skip(31_000);
    assert.equal((await answerOf(old)).result, "CONFIG_ERROR - no TestTask serves this job any more");
    const names = () => Object.keys(JSON.parse(stage.kube.get(CONFIG_MAPS, NAMESPACE, NAMES).data.functions));
    await stage.until(() => names().includes("build:unit"), "the name of the TestTask's function");
    assert.deepEqual(new Set(names()), new Set(["build:unit", "build:old"]));
  });
});
