import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import abraxas from "abraxas";
import { performSubmit } from "../../../src/commands/submit.ts";
import { fetchFunctions, fetchWorkers } from "../../../src/gearman/client/gearman-admin.ts";
import { makeSlotPool } from "../../../src/gearman/worker/slot-pool.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import type { GearmanServer } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { startTestLink, type TestLink, untilStatus, within } from "./worker/link-harness.ts";

/** A client or worker with a protocol implementation that is not ours. It cannot talk to geard. */
async function connectAbraxas(server: GearmanServer) {
  const client = abraxas.Client.connect({ servers: [server.address], defaultEncoding: "utf8" });
  await within(once(client, "connect"), () => "abraxas did not connect");
  return { client, [Symbol.dispose]: () => client.disconnect() };
}

describe("abraxas as an independent peer over gearmand", () => {
  let server: GearmanServer;
  before(async () => {
    server = await startGearmand();
  });
  after(() => server?.stop());

  async function startLink(functions = ["build:unit"]): Promise<TestLink> {
    const harness = await startTestLink([server.address]);
    harness.link.setRegistrations({
      functions,
      lanes: [{ name: "x", functions, slots: makeSlotPool({ capacity: 2 }) }],
    });
    return harness;
  }

  test("its client submits a build and reads what our worker answers", async () => {
    await using worker = await startLink();
    using peer = await connectAbraxas(server);
    const request = JSON.stringify({ ZUUL_UUID: "u1", TEXT: "é😀" });
    const task = peer.client.submitJob("build:unit", { uniqueid: "u1" }, request);
    const statuses: number[] = [];
    task.on("status", (done: number) => statuses.push(done));
    let answer = "";
    task.on("data", (text: string) => {
      answer += text;
    });
    const ended = once(task, "end");
    const assignment = await worker.assignments.next();
    assert.deepEqual([assignment.functionName, assignment.unique, assignment.payload.toString()], ["build:unit", "u1", request]);
    assignment.sendData('{"number":"unit-1"}');
    assignment.sendStatus(3, 6);
    assignment.sendData('{"number":"unit-1","result":"SUCCESS"}');
    assert.equal(await assignment.complete('{"number":"unit-1","result":"SUCCESS"}'), "delivered");
    assignment.slot.release();
    await within(ended, () => `abraxas got no end after ${answer}`);
    assert.equal(answer, '{"number":"unit-1"}{"number":"unit-1","result":"SUCCESS"}{"number":"unit-1","result":"SUCCESS"}');
    assert.deepEqual(statuses, [0.5]);
  });

  test("its client sees our WORK_FAIL as a failed job", async () => {
    await using worker = await startLink();
    using peer = await connectAbraxas(server);
    const task = peer.client.submitJob("build:unit", { uniqueid: "u2" }, "{}");
    const failed = once(task, "error");
    const assignment = await worker.assignments.next();
    assert.equal(await assignment.fail(), "delivered");
    assignment.slot.release();
    assert.equal((await within(failed, () => "abraxas saw no failure"))[0].name, "JobFail");
  });

  test("its worker builds what our submit asks for", async () => {
    using peer = await connectAbraxas(server);
    const payloads: string[] = [];
    peer.client.registerWorker("build:peer", (task) => {
      payloads.push(task.payload);
      task.end(JSON.stringify({ number: 1, manager: "peer", result: "SUCCESS" }));
    });
    await untilStatus(server, (status) => (status.get("build:peer")?.workers ?? 0) > 0);
    const lines: string[] = [];
    const never = new AbortController().signal;
    const flags = { server: server.address, project: "org/project", pipeline: "check", unique: "u3" };
    const exitCode = await performSubmit("peer", flags, {
      clock: systemClock,
      stop: never,
      leave: never,
      print: (line) => lines.push(line),
      printError: (line) => lines.push(line),
    });
    assert.equal(exitCode, 0, lines.join("\n"));
    assert.equal(JSON.parse(payloads[0] ?? "").ZUUL_UUID, "u3");
  });

  test("it reads the same functions, numbers and workers from the server as we do", async () => {
    await using worker = await startLink(["build:unit", "build:docs"]);
    using peer = await connectAbraxas(server);
    const task = peer.client.submitJob("build:unit", { uniqueid: "u4" }, "{}");
    task.on("data", () => {});
    const ended = once(task, "end");
    const assignment = await worker.assignments.next();
    await untilStatus(server, (status) => status.get("build:docs")?.workers === 2);
    const options = { server: server.address, clock: systemClock, signal: new AbortController().signal };
    const lines = await fetchFunctions(options);
    const theirs = await within(promisify(peer.client.status).call(peer.client), () => "abraxas has no status");
    assert.equal(lines.find(({ name }) => name === "build:unit")?.running, 1);
    assert.deepEqual(
      lines.map(({ name, waiting, running, workers }) => [name, waiting + running, running, workers]).sort(byName),
      Object.entries(theirs)
        .map(([name, { inqueue, running, workers }]) => [name, inqueue, running, workers])
        .sort(byName),
    );
    const named = (await fetchWorkers(options)) ?? [];
    const workers = (await within(promisify(peer.client.workers).call(peer.client), () => "abraxas has no workers")).filter(
      ({ functions }) => functions.length > 0,
    );
    assert.ok(named.length >= 2);
    assert.deepEqual(
      named.map(({ clientId, functions }) => [clientId, ...functions]).sort(byName),
      workers.map(({ clientid, functions }) => [clientid, ...functions]).sort(byName),
    );
    await assignment.complete("{}");
    assignment.slot.release();
    await within(ended, () => "abraxas saw no end");
  });
});

const byName = ([left]: readonly unknown[], [right]: readonly unknown[]) => (String(left) < String(right) ? -1 : 1);
