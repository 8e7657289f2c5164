import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { KubeEvent } from "../../../../src/core/kubernetes/objects.ts";
import type { KubeClient } from "../../../../src/kube/client/kube-client.ts";
import { WarningEvents } from "../../../../src/kube/objects/warning-events.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";

/** An API server whose every list takes so long, with one Event about `a`, and one about the claim `d` of another uid. */
function stageEvents(listMs: number) {
  const clock = makeManualClock();
  let lists = 0;
  const event: KubeEvent = { metadata: { name: "e", namespace: "ci" }, involvedObject: { uid: "a" }, reason: "FailedMount" };
  const claim = { kind: "PersistentVolumeClaim", name: "d", uid: "c" };
  const ofClaim: KubeEvent = { metadata: { name: "f", namespace: "ci" }, involvedObject: claim, reason: "ProvisioningFailed" };
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.schedule(ms, resolve));
  const client = {
    async list() {
      lists += 1;
      await sleep(listMs);
      return { items: [event, ofClaim], metadata: { resourceVersion: "1" } };
    },
  } as unknown as KubeClient;
  const events = new WarningEvents({ client, clock: { ...clock, sleep }, signal: new AbortController().signal });
  return {
    events,
    get lists() {
      return lists;
    },
    async pass(ms: number) {
      await setImmediate();
      clock.skip(ms);
      await setImmediate();
    },
  };
}

describe("the Events about what waits", () => {
  test("are read once for all who ask", async () => {
    const staged = stageEvents(100);
    const asked = ["a", "b"].map((uid) => staged.events.of("ci", uid));
    await staged.pass(100);
    const [own, none] = await Promise.all(asked);
    assert.deepEqual([own?.length, none, staged.lists], [1, [], 1]);
  });

  test("are told of a claim by its name, which is all that is known of it", async () => {
    const staged = stageEvents(100);
    const asked = staged.events.of("ci", "d");
    await staged.pass(100);
    assert.deepEqual(
      (await asked).map(({ reason }) => reason),
      ["ProvisioningFailed"],
    );
  });

  for (const [listMs, pauseMs] of [
    [100, 5_000],
    [1_000, 20_000],
    [30_000, 60_000],
  ] as const) {
    test(`are read again after ${pauseMs} ms where that takes ${listMs}`, async () => {
      const staged = stageEvents(listMs);
      void staged.events.of("ci", "a");
      await staged.pass(listMs);
      const again = staged.events.of("ci", "a");
      await staged.pass(pauseMs - 1);
      assert.equal(staged.lists, 1);
      await staged.pass(1);
      assert.equal(staged.lists, 2);
      await staged.pass(listMs);
      assert.equal((await again).length, 1);
    });
  }
});
