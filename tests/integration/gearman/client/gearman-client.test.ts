import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connectGearmanClient, type SubmissionEvent } from "../../../../src/gearman/client/gearman-client.ts";
import { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { PACKET } from "../../../../src/gearman/wire/packet.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { findFreePort } from "../../../support/free-port.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import type { GearmanServer } from "../../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { startScriptedServer } from "../hostile/scripted-server.ts";
import { connectTestClient, countHandles, Inbox, startTestLink, submitBuild } from "../worker/link-harness.ts";

const hasCode = (code: string) => (error: unknown) => error instanceof GearmanError && error.code === code;

for (const [kind, startServer] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as [string, () => Promise<GearmanServer>][]) {
  describe(`a Gearman client of ${kind}`, () => {
    test("knows a job as waiting, running and gone", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      const build = submitBuild(client, "build:a", "1");
      const handle = await build.handle;
      assert.deepEqual(await client.status(handle), { isKnown: true, isRunning: false, numerator: 0, denominator: 0 });
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      const assignment = await harness.assignments.next();
      assignment.sendStatus(3, 7);
      await build.events.until((events) => events.some(({ kind }) => kind === "status"));
      assert.deepEqual(await client.status(handle), { isKnown: true, isRunning: true, numerator: 3, denominator: 7 });
      await assignment.fail();
      await build.end();
      assert.equal((await client.status(handle))?.isKnown, false);
    });

    test("has the higher priority served first", async () => {
      await using server = await startServer();
      await using client = await connectTestClient(server);
      const ends = (["low", "normal", "high"] as const).map(
        (priority) => client.submit({ functionName: "build:a", unique: priority, payload: "{}", priority }).ended,
      );
      await client.status("H:none"); // the server has read them all
      await using harness = await startTestLink([server.address], {
        onAssignment: (assignment) => {
          harness.assignments.push(assignment);
          void assignment.complete("{}").then(() => assignment.slot.release());
        },
      });
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      await Promise.all(ends);
      assert.deepEqual(
        harness.assignments.items.map(({ unique }) => unique),
        ["high", "normal", "low"],
      );
    });

    test("is told that everything is lost when the server goes or it is stopped itself", async () => {
      const server = await startServer();
      const client = await connectTestClient(server);
      const other = await connectTestClient(server);
      const build = submitBuild(client, "build:a", "1");
      await build.handle;
      await server.stop();
      assert.equal((await build.end()).kind, "lost");
      const late = client.submit({ functionName: "build:a", unique: "2", payload: "" });
      await assert.rejects(late.handle, hasCode("TH_GEARMAN_LOST"));
      assert.equal((await late.ended).kind, "lost");
      assert.equal(await client.status("H:1"), undefined);
      await Promise.all([client.stop(), other.stop()]);
      assert.deepEqual(await countHandles(), {});
    });
  });
}

describe("a Gearman client", () => {
  test("rejects when nobody listens", async () => {
    const server = `127.0.0.1:${await findFreePort()}`;
    await assert.rejects(connectGearmanClient({ server, clock: systemClock }), hasCode("TH_GEARMAN_CONNECT"));
  });

  test("is told which request gearmand refuses, and keeps the others apart", async () => {
    await using server = await startGearmand();
    await using client = await connectTestClient(server);
    const tooLong = client.submit({ functionName: "build:a", unique: "u".repeat(65), payload: "{}" });
    await assert.rejects(tooLong.handle, hasCode("TH_GEARMAN_REFUSED"));
    assert.equal((await tooLong.ended).kind, "lost");
  });

  test("gives two requests with the same function and unique both gearmand's one answer", async () => {
    await using server = await startGearmand();
    await using client = await connectTestClient(server);
    const builds = [submitBuild(client, "build:a", "same"), submitBuild(client, "build:a", "same")];
    assert.equal(await builds[0]?.handle, await builds[1]?.handle);
    await using harness = await startTestLink([server.address]);
    harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 2 }) }] });
    await (await harness.assignments.next()).complete("{}");
    for (const build of builds) assert.equal((await build.end()).kind, "complete");
  });

  test("takes exceptions and warnings, ends without data, and ignores what belongs to no request of its own", async () => {
    await using server = await startScriptedServer({
      onPacket: (peer, type) => {
        if (type !== PACKET.SUBMIT_JOB) return;
        peer.send(PACKET.WORK_DATA, ["H:other", "x"]);
        peer.send(PACKET.JOB_CREATED, ["H:1"]);
        peer.send(PACKET.WORK_WARNING, ["H:1", "w"]);
        peer.send(PACKET.WORK_COMPLETE, ["H:other"]);
        peer.send(PACKET.WORK_EXCEPTION, ["H:1", "boom"]);
        peer.send(PACKET.WORK_FAIL, ["H:1"]);
      },
    });
    await using client = await connectGearmanClient({ server: server.address, clock: systemClock });
    const events = new Inbox<SubmissionEvent>();
    const submission = client.submit({ functionName: "f", unique: "u", payload: "", onEvent: (event) => events.push(event) });
    const end = await submission.ended;
    assert.deepEqual(
      events.items.map(({ kind }) => kind),
      ["created", "warning", "exception"],
    );
    assert.ok(end.kind === "exception" && end.payload.toString() === "boom");
  });

  test("ends on a payload above its limit", async () => {
    await using server = await startScriptedServer({
      onPacket: (peer, type) => {
        if (type !== PACKET.SUBMIT_JOB) return;
        peer.send(PACKET.JOB_CREATED, ["H:1"]);
        peer.send(PACKET.WORK_COMPLETE, ["H:1", Buffer.alloc(2000)]);
      },
    });
    await using client = await connectGearmanClient({ server: server.address, clock: systemClock, payloadLimitBytes: 1000 });
    const end = await client.submit({ functionName: "f", unique: "u", payload: "" }).ended;
    assert.ok(end.kind === "lost" && end.reason.code === "TH_GEARMAN_PROTOCOL");
  });
});
