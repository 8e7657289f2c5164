import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { PACKET } from "../../../../src/gearman/wire/packet.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";
import { connectTestClient, startTestLink, submitBuild, untilAllFree, within } from "../worker/link-harness.ts";
import { cutStream, hostileStep, renderStep } from "./hostile-packets.ts";
import { answerStatus, type Peer, startScriptedServer } from "./scripted-server.ts";

const ATTACKS = 2500;

const attack = fc.record({
  steps: fc.array(hostileStep, { maxLength: 6 }),
  pieceBytes: fc.constantFrom(0, 0, 1, 7),
  isHonestFirst: fc.boolean(),
  end: fc.oneof(
    { weight: 14, arbitrary: fc.constantFrom("end" as const, "reset" as const) },
    { weight: 1, arbitrary: fc.constant("silence" as const) },
  ),
});

test("a link to a hostile server keeps the other server's builds going, and serves the hostile one when it has come to reason", async (context: TestContext) => {
  const { numRuns = ATTACKS, seed = 0 } = fuzzParameters(context, ATTACKS);
  const attacks = fc.sample(attack, { numRuns, seed });
  const clock = makeSkippingClock();
  // Waits between connections are skipped, and so is the silence of a server that says nothing: in steps, so that the other one can answer.
  clock.onSchedule((delayMs) => {
    if (delayMs <= 1250) setImmediate(() => clock.skip(1250));
  });
  let count = 0;
  let isReasonable = false;
  const overcome = Promise.withResolvers<void>();
  const passTime = async () => {
    for (let passedMs = 0; passedMs < 120_000; passedMs += 1250) {
      clock.skip(1250);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const lanes = new Set<Peer>();
  let isGiven = false;

  const rage = (peer: Peer) => {
    const now = attacks[count];
    count += 1;
    if (now === undefined) {
      isReasonable = true;
      overcome.resolve();
      return;
    }
    peer.socket.on("error", () => undefined);
    if (now.isHonestFirst) peer.send(PACKET.STATUS_RES, ["H:turbo-hipster:heartbeat", "0", "0", "0", "0"]);
    for (const step of now.steps) {
      const bytes = step.kind === "honest" ? Buffer.alloc(0) : renderStep(step);
      for (const piece of cutStream(bytes, now.pieceBytes)) if (piece.length > 0) peer.socket.write(piece);
    }
    if (now.end === "end") peer.socket.end();
    else if (now.end === "reset") peer.socket.resetAndDestroy();
    else void passTime();
  };
  await using hostile = await startScriptedServer({
    onConnect: rage,
    onPacket(peer, type, fields) {
      if (!isReasonable) return;
      answerStatus(peer, type, fields);
      const isLane = fields[0]?.includes("/lane/") ?? false;
      if (type === PACKET.SET_CLIENT_ID && isLane) lanes.add(peer);
      if (type === PACKET.GRAB_JOB_UNIQ && lanes.has(peer) && !isGiven) {
        isGiven = true;
        peer.send(PACKET.JOB_ASSIGN_UNIQ, ["H:fair:1", "build:a", "fair", "{}"]);
      } else if (type === PACKET.GRAB_JOB_UNIQ) peer.send(PACKET.NO_JOB);
    },
  });
  await using server = await startGearmand();
  await using client = await connectTestClient(server);
  const slots = makeSlotPool({ capacity: 10 });
  const fair = Promise.withResolvers<void>();
  const finish = async (assignment: Assignment) => {
    await assignment.complete("{}");
    assignment.slot.release();
    if (assignment.unique === "fair" && isReasonable) fair.resolve();
  };
  await using harness = await startTestLink([hostile.address, server.address], {
    clock,
    limits: { payloadBytes: 10_000 },
    onAssignment: (assignment) => void finish(assignment),
  });
  harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });

  let served = 0;
  while (!isReasonable) {
    const end = await submitBuild(client, "build:a", `healthy-${served}`).end();
    assert.equal(end.kind, "complete");
    served += 1;
    await Promise.race([overcome.promise, new Promise((resolve) => setImmediate(resolve))]);
  }
  context.diagnostic(`${count} hostile connections, ${served} builds on the other server meanwhile`);
  // A connection of before may still be there; its silence passes.
  await passTime();
  await within(fair.promise, () => `the server that has come to reason is not served: ${JSON.stringify(harness.link.servers)}`, 30_000);
  await untilAllFree(slots);
  assert.equal((await submitBuild(client, "build:a", "last").end()).kind, "complete");
});
