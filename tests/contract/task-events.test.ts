import assert from "node:assert/strict";
import { it } from "node:test";
import { EVENTS } from "../../src/kube/client/resource.ts";
import { TaskEventObjects } from "../../src/kube/objects/task-event-objects.ts";
import type { ContractTarget } from "./contract-target.ts";
import { describeContract } from "./describe-contract.ts";

describeContract(
  { fake: "Events about TestTasks on the fake API server", real: "Events about TestTasks on a real API server" },
  holdContract,
);

const NEVER = new AbortController().signal;

function holdContract(target: ContractTarget): void {
  it("are made, counted when it happens again, and told to be gone", async () => {
    const { client } = target;
    const namespace = await target.makeNamespace();
    const events = new TaskEventObjects({ client });
    const [first, last] = ["2026-01-02T03:04:05Z", "2026-01-02T03:05:06Z"];
    const task = { namespace, name: "unit", uid: "0b9a4f3e-6a5c-4a63-9d5e-1f0a2b3c4d5e" };
    const event = { type: "Normal", reason: "Suspended", message: "takes no builds" } as const;
    await events.create("unit.1", task, event, { count: 1, first, last: first }, NEVER);
    assert.equal(await events.repeat(namespace, "unit.1", { count: 3, last }, NEVER), true);
    const stored = await client.get<{ metadata: { name: string } } & Record<string, unknown>>(EVENTS, namespace, "unit.1");
    const { type, reason, message, count, firstTimestamp, lastTimestamp, involvedObject } = stored;
    assert.deepEqual(
      { type, reason, message, count, firstTimestamp, lastTimestamp },
      { ...event, count: 3, firstTimestamp: first, lastTimestamp: last },
    );
    assert.deepEqual(involvedObject, { apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", ...task });
    await client.delete(EVENTS, namespace, "unit.1", { propagationPolicy: "Background" });
    assert.equal(await events.repeat(namespace, "unit.1", { count: 4, last }, NEVER), false);
  });
}
