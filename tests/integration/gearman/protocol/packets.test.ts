import assert from "node:assert/strict";
import { describe } from "node:test";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { PacketDecoder, type PacketLimits } from "../../../../src/gearman/wire/codec.ts";
import { PACKET, renderPacketName } from "../../../../src/gearman/wire/packet.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { adminStatus, type GearmanServer } from "../../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { startTcpProxy } from "../../../support/proxies/tcp-proxy.ts";
import { connectTestClient, Inbox, startTestLink, submitBuild, untilStatus } from "../worker/link-harness.ts";
import { protocolArea, SERVERS } from "./protocol-area.ts";
import { connectRaw, UNUSED_PACKET } from "./raw-peer.ts";

const area = protocolArea("packets");
const STOP = "stop:turbo-hipster-test";
const ANYTHING: PacketLimits = Object.fromEntries(
  Object.values(PACKET).map((type) => [type, { maxBytes: 2 ** 20, onExcess: "violation" as const }]),
);

/** Counts packets by name in chunks that hold whole ones, as ours do. */
function packetCounter() {
  const counts = new Map<string, number>();
  return {
    counts,
    take(chunk: Buffer) {
      new PacketDecoder(ANYTHING, (type) => {
        const name = renderPacketName(type);
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }).push(chunk);
    },
  };
}

async function observeOrder(server: GearmanServer): Promise<string> {
  await using client = await connectTestClient(server);
  await using harness = await startTestLink([server.address]);
  const slots = makeSlotPool({ capacity: 1 });
  slots.setPaused(true);
  harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a", "build:b", "build:c"], slots }] });
  await untilStatus(server, (status) => status.get("build:c")?.workers === 2);
  const PRIORITY = { L: "low", H: "high" } as const;
  const names = ["aL", "a1", "b1", "a2", "c1", "bH", "b2", "a3", "cL", "cH"];
  for (const name of names) {
    const priority = PRIORITY[name[1] as "L" | "H"] ?? "normal";
    await client.submit({ functionName: `build:${name[0]}`, unique: name, payload: "", priority }).handle;
  }
  slots.setPaused(false);
  const order: string[] = [];
  for (let count = 0; count < names.length; count += 1) {
    const assignment = await harness.assignments.next();
    order.push(assignment.unique);
    await assignment.complete("{}");
    assignment.slot.release();
  }
  return order.join(" ");
}

for (const { kind, start } of SERVERS) {
  describe(`packets of ${kind}`, () => {
    area.row(kind, "every packet that we send, from the first to the last", async () => {
      await using server = await start();
      await using proxy = await startTcpProxy(server);
      const { counts, take } = packetCounter();
      proxy.onChunk = (chunk, from) => {
        if (from === "client") take(chunk);
      };
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([proxy.address], { limits: { times: { heartbeatMs: 20 } } });
      const slots = makeSlotPool({ capacity: 1 });
      const functions = ["build:a", "build:b"];
      harness.link.setRegistrations({ functions, lanes: [{ name: "x", functions, slots }] });
      for (const end of ["complete", "fail"]) {
        const build = submitBuild(client, "build:a", end);
        const assignment = await harness.assignments.next();
        assignment.sendData("{}");
        assignment.sendStatus(0, 1);
        // The lane loses a function, and the link grabs no more, while the build runs.
        harness.link.setRegistrations({ functions, lanes: [{ name: "x", functions: [end === "fail" ? "build:a" : "build:b"], slots }] });
        if (end === "fail") harness.link.stopGrabbing();
        await (end === "fail" ? assignment.fail() : assignment.complete("{}"));
        assignment.slot.release();
        await build.end();
        if (end === "complete") harness.link.setRegistrations({ functions, lanes: [{ name: "x", functions, slots }] });
      }
      await submitBuild(client, STOP, "s").end();
      return [...counts.keys()].sort((left, right) => (left < right ? -1 : 1)).join(", ");
    });

    area.row(kind, "what it answers at all", async () => {
      await using server = await start();
      const questions: [string, number, ...string[]][] = [
        ["GET_STATUS", PACKET.GET_STATUS, "H:none"],
        ["GET_STATUS_UNIQUE", PACKET.GET_STATUS_UNIQUE, "none"],
        ["GRAB_JOB_UNIQ", PACKET.GRAB_JOB_UNIQ],
        ["GRAB_JOB", UNUSED_PACKET.GRAB_JOB],
        ["GRAB_JOB_ALL", UNUSED_PACKET.GRAB_JOB_ALL],
        ["ECHO_REQ", UNUSED_PACKET.ECHO_REQ, "x"],
        ["OPTION_REQ", UNUSED_PACKET.OPTION_REQ, "exceptions"],
      ];
      const outcomes: string[] = [];
      for (const [name, type, ...fields] of questions) {
        using raw = await connectRaw(server);
        raw.send(PACKET.CAN_DO, "build:a");
        raw.send(type, ...fields);
        const answers = await raw.answers();
        outcomes.push(`${name}: ${answers === undefined ? "closes" : (answers[0]?.split(" ")[0] ?? "silent")}`);
      }
      return outcomes.join("; ");
    });

    area.row(kind, "a build that waits when we fall asleep (PRE_SLEEP)", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await submitBuild(client, "build:a", "1").handle;
      using raw = await connectRaw(server);
      raw.send(PACKET.CAN_DO, "build:a");
      raw.send(PACKET.PRE_SLEEP);
      return `${(await raw.answers())?.join(", ")} at once`;
    });

    area.row(kind, "one build for two workers that sleep", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      const assignments = new Inbox<Assignment>();
      const options = { onAssignment: (assignment: Assignment) => assignments.push(assignment) };
      const links = [await startTestLink([server.address], options), await startTestLink([server.address], options)];
      try {
        for (const { link } of links) {
          link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 2 }) }] });
        }
        await untilStatus(server, (status) => status.get("build:a")?.workers === 4);
        await Promise.all(links.map(({ until }) => until(({ isRegistered }) => isRegistered)));
        const build = submitBuild(client, "build:a", "1");
        await assignments.until(({ length }) => length > 0);
        // Both have asked by the time that this one is answered.
        await submitBuild(client, STOP, "s").end();
        const all = assignments.items;
        for (const assignment of all) await assignment.complete("{}");
        await build.end();
        return `given out ${all.length === 1 ? "once" : `${all.length} times`}`;
      } finally {
        for (const harness of links) await harness[Symbol.asyncDispose]();
      }
    });

    area.row(kind, "builds that come while we are full", async () => {
      await using server = await start();
      await using proxy = await startTcpProxy(server);
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([proxy.address]);
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      await harness.until(({ isRegistered, kind }) => isRegistered && kind !== "unknown");
      submitBuild(client, "build:a", "1");
      const first = await harness.assignments.next();
      const sent = packetCounter();
      const received = packetCounter();
      proxy.onChunk = (chunk, from) => (from === "client" ? sent : received).take(chunk);
      const more = Array.from({ length: 20 }, (_, index) => submitBuild(client, "build:a", `more-${index}`));
      await Promise.all(more.map(({ handle }) => handle));
      await untilStatus(server, (status) => status.get("build:a")?.total === 21);
      const noise = [...sent.counts.keys(), ...received.counts.keys()].filter((name) => /NOOP|GRAB|NO_JOB|SLEEP|ASSIGN/.test(name));
      const { workers = 0 } = (await adminStatus(server.address)).get("build:a") ?? {};
      await first.complete("{}");
      return `${noise.length === 0 ? "no NOOP, no GRAB_JOB_UNIQ" : noise.join(", ")}; registered all the while (${workers > 0})`;
    });

    area.row(kind, "CANT_DO of a function whose build runs: why we never send it", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      const build = submitBuild(client, "build:a", "1");
      await build.handle;
      using raw = await connectRaw(server);
      raw.send(PACKET.CAN_DO, "build:a");
      raw.send(PACKET.GRAB_JOB_UNIQ);
      const [assigned = ""] = (await raw.answers()) ?? [];
      raw.send(UNUSED_PACKET.CANT_DO, "build:a");
      await raw.answers();
      raw.send(PACKET.WORK_COMPLETE, assigned.split(" ")[1] ?? "", "{}");
      const [refusal] = (await raw.answers()) ?? [];
      const { running = 0 } = (await adminStatus(server.address)).get("build:a") ?? {};
      return refusal === undefined
        ? `the build goes on, ${(await build.end()).kind}`
        : `taken away and queued again (running: ${running}); its end: ${refusal.split(" ").slice(0, 2).join(" ")}`;
    });

    area.row(kind, "a lane loses a function while its build runs, by a connection that takes its place", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      const slots = makeSlotPool({ capacity: 2 });
      const functions = ["build:a", "build:b"];
      harness.link.setRegistrations({ functions, lanes: [{ name: "x", functions, slots }] });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      harness.link.setRegistrations({ functions, lanes: [{ name: "x", functions: ["build:b"], slots }] });
      const other = submitBuild(client, "build:b", "2");
      await (await harness.assignments.next()).complete("{}");
      await other.end();
      const delivery = await assignment.complete("{}");
      await build.end();
      await untilStatus(server, (status) => status.get("build:a")?.workers === 1 && status.get("build:b")?.workers === 2);
      return `the build goes on (${delivery}, ${build.kinds().join(", ")}); the name stays`;
    });

    area.row(kind, "an end that comes over a connection to which the build was not given", async () => {
      await using server = await start();
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([server.address]);
      harness.link.setRegistrations({
        functions: [],
        lanes: [{ name: "x", functions: ["build:a"], slots: makeSlotPool({ capacity: 1 }) }],
      });
      const build = submitBuild(client, "build:a", "1");
      const assignment = await harness.assignments.next();
      using raw = await connectRaw(server);
      raw.send(PACKET.WORK_COMPLETE, assignment.handle, "forged");
      const [answer = "silence"] = (await raw.answers()) ?? [];
      await assignment.complete("own");
      const end = await build.end();
      assert.ok("payload" in end);
      return `${answer.split(" ").slice(0, 2).join(" ")} to the forger; the client has "${end.payload}"`;
    });

    area.row(kind, "packets of type 1000 and 0x80000000, from anybody", async () => {
      const outcomes: string[] = [];
      for (const type of [1000, 0x80000000]) {
        await using server = await start();
        using raw = await connectRaw(server);
        raw.send(type);
        const answers = await raw.answers();
        const isThere = await adminStatus(server.address).then(
          () => true,
          () => false,
        );
        outcomes.push(`${answers === undefined ? "closes the connection" : "ignored"}${isThere ? "" : ", and the server's process ends"}`);
      }
      return outcomes.join("; ");
    });

    area.row(kind, "the order of aL a1 b1 a2 c1 bH b2 a3 cL cH (H, L: priority) on one lane with one slot", async () => {
      await using server = await start();
      return await observeOrder(server);
    });
  });
}

describe("gearmand --round-robin", () => {
  area.row("gearmand", "the same order with --round-robin", async () => {
    await using server = await startGearmand({ extraArgs: ["--round-robin"] });
    return await observeOrder(server);
  });
});
