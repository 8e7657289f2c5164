import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PACKET } from "../../../../src/gearman/wire/packet.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { startGeard } from "../../../support/gearman/geard.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { startTcpProxy } from "../../../support/proxies/tcp-proxy.ts";
import { answerStatus, startScriptedServer } from "../hostile/scripted-server.ts";
import { connectTestClient, Inbox, startTestLink, submitBuild, untilLost, untilStatus } from "./link-harness.ts";

/** Lines above debug, as "level message". */
function makeRecordingLogger(lines: Inbox<string>): Logger {
  const logger: Logger = {
    debug: () => undefined,
    info: (_fields, message) => lines.push(`info ${message}`),
    warn: (_fields, message) => lines.push(`warn ${message}`),
    error: (_fields, message) => lines.push(`error ${message}`),
    child: () => logger,
  };
  return logger;
}

describe("the link to one server", () => {
  test("logs each state once, not each attempt and not each packet", async () => {
    await using server = await startGearmand();
    const lines = new Inbox<string>();
    await using harness = await startTestLink([server.address], { logger: makeRecordingLogger(lines) });
    harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }] });
    await harness.until((state) => state.isRegistered && state.kind !== "unknown");
    const client = await connectTestClient(server);
    for (let build = 0; build < 20; build += 1) {
      submitBuild(client, "build:a", `${build}`);
      const assignment = await harness.assignments.next();
      assignment.sendData("{}");
      await assignment.complete("{}");
      assignment.slot.release();
    }
    submitBuild(client, "build:a", "last");
    await harness.assignments.next();
    const attempts = new Inbox<string>();
    const leave = harness.link.onChange(() => attempts.push(harness.link.servers[0]?.lastError ?? ""));
    await server.kill9();
    await attempts.until((items) => items.filter((text) => text.includes("ECONNREFUSED")).length >= 2);
    leave();
    await server.restart();
    await harness.until((state) => state.isRegistered && state.kind !== "unknown");
    await client.stop();
    const count = (text: string) => lines.items.filter((line) => line === text).length;
    assert.equal(count("info registered at the gearman server"), 2);
    assert.equal(count("warn lost the gearman server, connecting again"), 1);
    assert.equal(count("warn cannot reach the gearman server, trying again"), 1);
    assert.equal(count("warn lost the link of running builds"), 1);
    assert.equal(lines.items.length, 5, lines.items.join("\n"));
    assert.deepEqual(harness.link.servers, [{ server: server.address, isConnected: true, isRegistered: true, kind: "gearmand" }]);
  });

  test("logs a server that breaks the protocol once, keeps trying it and keeps the rest working", async () => {
    const lines = new Inbox<string>();
    const connects = new Inbox<string>();
    await using bad = await startScriptedServer({
      onPacket: (peer, type, fields) => {
        if (type === PACKET.SET_CLIENT_ID) connects.push(fields[0] ?? "");
        answerStatus(peer, type, fields);
        if (type === PACKET.GRAB_JOB_UNIQ) peer.socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
      },
    });
    await using good = await startGearmand();
    await using harness = await startTestLink([bad.address, good.address], { logger: makeRecordingLogger(lines) });
    harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 2 }) }] });
    await connects.until((items) => items.filter((id) => id.endsWith("/lane/x")).length >= 2);
    assert.ok(connects.items.includes("turbo-hipster/test/here/registrar"));
    assert.ok(lines.items.filter((line) => line.startsWith("error ")).length <= 2, lines.items.join("\n"));
    await using client = await connectTestClient(good);
    const build = submitBuild(client, "build:a", "1");
    await (await harness.assignments.next()).complete("{}");
    assert.equal((await build.end()).kind, "complete");
  });

  for (const [kind, start, isTakenBack] of [
    ["gearmand", startGearmand, true],
    ["geard", startGeard, false],
  ] as const) {
    test(`${isTakenBack ? "hands a build back to" : "hands no build back to"} ${kind}, though just then it can't ask which server it is`, async () => {
      await using server = await start();
      await using proxy = await startTcpProxy(server);
      await using harness = await startTestLink([proxy.address]);
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 2 }) }],
      });
      await harness.until((state) => state.isRegistered && state.kind !== "unknown");
      await using client = await connectTestClient(server);
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      proxy.of("/registrar").cut();
      await harness.until((state) => state.kind === "unknown");
      assert.deepEqual([assignment.handBack(), assignment.lost.aborted], [isTakenBack, false]);
      if (isTakenBack) await untilLost(assignment);
      const last = isTakenBack ? await harness.assignments.next() : assignment;
      await last.complete("{}");
      assert.equal((await build.end()).kind, "complete");
      assert.deepEqual([last.unique, build.kinds().includes("fail")], ["1", false]);
    });
  }

  test("gives the slot of an unanswered GRAB back when the link is lost", async () => {
    const slots = makeSlotPool({ capacity: 1 });
    const grabs = new Inbox<() => void>();
    await using silent = await startScriptedServer({
      onPacket: (peer, type, fields) => {
        answerStatus(peer, type, fields);
        if (type === PACKET.GRAB_JOB_UNIQ) grabs.push(() => peer.socket.destroy());
      },
    });
    await using good = await startGearmand();
    await using harness = await startTestLink([silent.address, good.address]);
    const client = await connectTestClient(good);
    harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
    await grabs.until((items) => items.length >= 2); // the manager's and the lane's, in either order
    const build = submitBuild(client, "build:a", "1");
    for (const cut of grabs.items) cut();
    await (await harness.assignments.next()).complete("{}");
    assert.equal((await build.end()).kind, "complete");
    await client.stop();
  });

  test("goes on with other builds while a payload of 16 MB arrives on gearmand", async () => {
    await using server = await startGearmand();
    await using client = await connectTestClient(server);
    await using other = await connectTestClient(server);
    await using harness = await startTestLink([server.address]);
    const slots = makeSlotPool({ capacity: 50 });
    harness.link.setRegistrations({
      functions: [],
      lanes: [
        { name: "x", functions: ["build:large"], slots },
        { name: "y", functions: ["build:small"], slots },
      ],
    });
    await untilStatus(server, (status) => status.get("build:large")?.workers === 2 && status.get("build:small")?.workers === 2);
    const payload = Buffer.alloc(16 * 2 ** 20, "0123456789");
    const large = submitBuild(client, "build:large", "1", payload);
    const small = Array.from({ length: 20 }, (_, index) => submitBuild(other, "build:small", `${index}`));
    for (let count = 0; count < 21; count += 1) {
      const assignment = await harness.assignments.next();
      if (assignment.functionName === "build:large") assert.ok(Buffer.from(assignment.payload).equals(payload));
      await assignment.complete("{}");
      assignment.slot.release();
    }
    for (const build of [large, ...small]) assert.equal((await build.end()).kind, "complete");
  });
});
