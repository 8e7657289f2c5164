import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { encodePacket, makeWorkerLimits, PacketDecoder, type PacketLimits, splitFields } from "../../../../src/gearman/wire/codec.ts";
import { Connection } from "../../../../src/gearman/wire/connection.ts";
import type { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { fieldCountOf, PACKET, type PacketType } from "../../../../src/gearman/wire/packet.ts";
import type { Role } from "../../../../src/gearman/worker/connector.ts";
import { Lane } from "../../../../src/gearman/worker/lane.ts";
import { Registrar } from "../../../../src/gearman/worker/registrar.ts";
import { makeSlotPool } from "../../../../src/gearman/worker/slot-pool.ts";
import { StopListener } from "../../../../src/gearman/worker/stop-listener.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { MemorySocket } from "../../../unit/gearman/support/memory-socket.ts";
import { cutStream, type HostileStep, hostileStep, renderStep } from "./hostile-packets.ts";

const PAYLOAD_LIMIT = 1000;
const ANYTHING: PacketLimits = Object.fromEntries(
  Object.values(PACKET).map((type) => [type, { maxBytes: 2 ** 24, onExcess: "violation" as const }]),
);
/** What a connection may end with that a hostile server talks to; TH_GEARMAN_INTERNAL would be an error of our own. */
const EXPECTED_ENDS = ["TH_GEARMAN_PROTOCOL", "TH_GEARMAN_LOST", "TH_GEARMAN_SILENT", "TH_GEARMAN_STOPPED"];

type RoleName = "lane" | "manager" | "registrar";
type Move =
  | { readonly kind: "server"; readonly step: HostileStep; readonly pieceBytes: number }
  | { readonly kind: "build"; readonly act: "complete" | "fail" | "data" | "status" | "release"; readonly index: number }
  | { readonly kind: "clock"; readonly ms: number }
  | { readonly kind: "lane"; readonly act: "adopt" | "stop" | "retire" | "capacity"; readonly count: number };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("server" as const), step: hostileStep, pieceBytes: fc.constantFrom(0, 0, 0, 1, 5, 13) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("build" as const),
      act: fc.constantFrom("complete" as const, "fail" as const, "data" as const, "status" as const, "release" as const),
      index: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("clock" as const), ms: fc.constantFrom(1000, 16_000, 31_000, 100_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("lane" as const),
      act: fc.constantFrom("adopt" as const, "adopt" as const, "stop" as const, "retire" as const, "capacity" as const),
      count: fc.nat(4),
    }),
  },
);
const session = fc.record({
  role: fc.constantFrom<RoleName>("lane", "lane", "lane", "lane", "manager", "registrar"),
  moves: fc.array(move, { maxLength: 14 }),
  end: fc.constantFrom("end" as const, "reset" as const, "silence" as const, "stop" as const),
});
type Session = typeof session extends fc.Arbitrary<infer Value> ? Value : never;

/** Plays one session against the real Connection and role, as the connector wires them, and checks all that must hold. */
async function play({ role: roleName, moves, end }: Session): Promise<void> {
  const clock = makeManualClock();
  const slots = makeSlotPool({ capacity: 3 });
  const assignments: Assignment[] = [];
  const released = new Set<Assignment>();
  /** Those that the receiver has ended. */
  const ended = new Set<Assignment>();
  const twice: string[] = [];
  /** Handles of jobs that are not ours, each time that one is refused. */
  const refused: unknown[] = [];
  const logger: Logger = {
    ...silentLogger,
    warn: (fields: { handle?: string }, message) => {
      if (message.startsWith("refused")) refused.push(fields.handle);
    },
  };
  const ends: Promise<string>[] = [];
  const closings: GearmanError[] = [];
  let stops = 0;
  /** Questions of ours that an honest server would answer now. */
  const asked: { type: PacketType; fields: string[] }[] = [];
  let sentPackets = 0;
  let receivedBytes = 0;
  const finals = new Map<string, number>();
  const ours = new PacketDecoder(ANYTHING, (type, body) => {
    sentPackets += 1;
    const fields = (fieldCountOf(type)?.max ?? 0) === 0 ? [] : splitFields(type, body).map((each) => each.toString("latin1"));
    if (type === PACKET.GRAB_JOB_UNIQ || type === PACKET.GET_STATUS || type === PACKET.GET_STATUS_UNIQUE) asked.push({ type, fields });
    if (type === PACKET.WORK_COMPLETE || type === PACKET.WORK_FAIL) finals.set(fields[0] ?? "", (finals.get(fields[0] ?? "") ?? 0) + 1);
  });
  const peer = new MemorySocket((chunk) => ours.push(chunk));
  const role: Role = makeRole();
  const connection = new Connection({
    server: "hostile:1",
    limits: makeWorkerLimits(PAYLOAD_LIMIT),
    clock,
    connect: () => peer.socket,
    onOpen: () => {
      role.onOpen(connection);
      connection.requestProof((isProven) => {
        if (isProven) role.onReady();
      });
    },
    onPacket: (type, body, bodyBytes) => role.onPacket(type, body, bodyBytes),
    onClose: (reason) => {
      closings.push(reason);
      role.onClose(reason);
    },
  });
  let grabs = 0;

  function makeRole(): Role {
    const common = { server: "hostile:1", clientId: "c", logger, clock };
    if (roleName === "registrar") {
      const registrar = new Registrar({ clientId: "c", onChange: () => undefined });
      registrar.setFunctions(new Set(["build:a", "build:b"]));
      return registrar;
    }
    if (roleName === "manager") return new StopListener({ ...common, managerName: "m", onStop: () => (stops += 1) });
    return new Lane({
      ...common,
      name: "x",
      functions: ["build:a", "build:b"],
      slots,
      payloadLimitBytes: PAYLOAD_LIMIT,
      countsClients: () => true,
      queuesAgain: () => true,
      clientGoneAfterMs: 60_000,
      onAssignment: (assignment) => {
        if (assignments.some((other) => other.handle === assignment.handle && !ended.has(other))) twice.push(assignment.handle);
        assignments.push(assignment);
      },
      isAwaited: () => false,
      onReady: () => undefined,
      onRetired: () => undefined,
    });
  }

  function serverSends(bytes: Buffer, pieceBytes: number): void {
    receivedBytes += bytes.length;
    for (const piece of cutStream(bytes, pieceBytes)) peer.receive("data", piece);
  }

  function answerHonestly(): Buffer {
    const question = asked.shift();
    if (question === undefined) return Buffer.alloc(0);
    const [name = ""] = question.fields;
    if (question.type === PACKET.GET_STATUS)
      return encodePacket(PACKET.STATUS_RES, [Buffer.from(name, "latin1"), "1", "1", "0", "0"], "response");
    if (question.type === PACKET.GET_STATUS_UNIQUE) {
      return encodePacket(PACKET.STATUS_RES_UNIQUE, [Buffer.from(name, "latin1"), "1", "1", "0", "0", "1"], "response");
    }
    grabs += 1;
    if (grabs % 3 === 0) return encodePacket(PACKET.NO_JOB, [], "response");
    return encodePacket(
      PACKET.JOB_ASSIGN_UNIQ,
      [`H:honest:${grabs}`, roleName === "manager" ? "stop:m" : "build:a", `${grabs}`, "{}"],
      "response",
    );
  }

  function perform(now: Move): void {
    if (now.kind === "server") serverSends(now.step.kind === "honest" ? answerHonestly() : renderStep(now.step), now.pieceBytes);
    else if (now.kind === "clock") clock.skip(now.ms);
    else if (now.kind === "lane") {
      if (!(role instanceof Lane)) return;
      if (now.act === "capacity") slots.setCapacity(now.count);
      else if (now.act === "stop") role.stopGrabbing();
      else if (now.act === "retire") role.retire();
      else role.adopt(new Set(["build:a", "build:b", `build:${now.count}`]), slots);
    } else {
      const target = assignments[now.index % Math.max(1, assignments.length)];
      if (target === undefined) return;
      if (now.act === "complete" || now.act === "fail") ended.add(target);
      if (now.act === "complete") ends.push(target.complete("{}"));
      else if (now.act === "fail") ends.push(target.fail());
      else if (now.act === "data") target.sendData("{}");
      else if (now.act === "status") target.sendStatus(1, 2);
      else {
        target.slot.release();
        released.add(target);
      }
    }
  }

  peer.receive("connect");
  for (const now of moves) perform(now);
  const held = assignments.filter((assignment) => !released.has(assignment)).length;
  assert.ok(slots.used === held || slots.used === held + 1, `${slots.used} slots for ${held} builds and at most one GRAB`);
  if (end === "end") peer.receive("end");
  else if (end === "reset") peer.receive("error", new Error("read ECONNRESET"));
  else if (end === "stop") connection.destroy({ code: "TH_GEARMAN_STOPPED" } as GearmanError);
  else if (closings.length === 0) {
    // Whatever it has said before: a server that says nothing more is found out within the heartbeat and the time for an answer.
    clock.skip(120_000);
    assert.equal(peer.isDestroyed, true, "silence is found out");
  }
  await connection.closed;
  assert.equal(closings.length, 1, "it ends once");
  assert.ok(
    EXPECTED_ENDS.includes(closings[0]?.code ?? ""),
    `${closings[0]?.code}: ${closings[0]?.message}\n${(closings[0]?.cause as Error)?.stack}`,
  );
  assert.equal(clock.pending, 0, "no timer is left");
  assert.deepEqual(twice, [], "one handle, one build at a time");
  for (const { functionName } of assignments) assert.match(functionName, /^build:[ab\d]$/, "only functions of ours come through");
  for (const assignment of assignments) assert.ok(assignment.lost.aborted || ended.has(assignment), "who has not ended is lost");
  for (const outcome of await Promise.all(ends)) assert.ok(outcome === "lost" || outcome === "delivered");
  for (const assignment of assignments) {
    assert.equal(await assignment.complete("{}").then((outcome) => outcome === "lost" || outcome === "delivered"), true);
    assert.ok(assignment.payload.length <= PAYLOAD_LIMIT, "no more is kept than the limit");
    assignment.slot.release();
  }
  assert.equal(slots.used, 0, "no slot is lost");
  for (const [handle, count] of finals) {
    const times = assignments.filter((assignment) => assignment.handle === handle).length;
    const refusals = refused.filter((other) => other === handle).length;
    if (roleName === "lane") assert.ok(count <= times + refusals, `${count} ends for ${times} builds of ${handle}, ${refusals} refused`);
  }
  assert.ok(sentPackets <= 40 + moves.length * 8 + receivedBytes / 4, `${sentPackets} packets for ${receivedBytes} bytes: no storm`);
  assert.ok(roleName === "manager" || stops === 0);
}

async function measureGrowth(work: () => Promise<void>): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const usedBytes = () => {
    collect();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + external + arrayBuffers;
  };
  const before = usedBytes();
  await work();
  return (usedBytes() - before) / 2 ** 20;
}

describe("a hostile server", () => {
  test("whatever it sends, however it is cut: no crash, no hang, nothing left, no more memory", {
    timeout: 600_000,
  }, async (context: TestContext) => {
    const property = fc.asyncProperty(session, play);
    await fc.assert(property, { ...fuzzParameters(context, 100), endOnFailure: true }); // warm: code and caches are no growth
    const parameters = fuzzParameters(context, 75_000);
    const growthMb = await measureGrowth(() => fc.assert(property, parameters));
    assert.ok(growthMb < 30, `${growthMb.toFixed(1)} MB more than before`);
  });

  test("that cuts a whole session at every byte, or ends it there, changes nothing but the end", async (context: TestContext) => {
    const stream = Buffer.concat([
      encodePacket(PACKET.STATUS_RES, ["H:turbo-hipster:heartbeat", "0", "0", "0", "0"], "response"),
      encodePacket(PACKET.JOB_ASSIGN_UNIQ, ["H:1", "build:a", "u1", "payload\0with NUL"], "response"),
      encodePacket(PACKET.STATUS_RES_UNIQUE, ["u1", "1", "1", "0", "0", "1"], "response"),
      encodePacket(PACKET.ERROR, ["JOB_NOT_FOUND", "text"], "response"),
      encodePacket(PACKET.JOB_ASSIGN_UNIQ, ["H:2", "build:b", "", "x".repeat(1200)], "response"),
      encodePacket(PACKET.NO_JOB, [], "response"),
      encodePacket(PACKET.NOOP, [], "response"),
      encodePacket(PACKET.JOB_ASSIGN_UNIQ, ["H:3", "build:foreign", "u3", "{}"], "response"),
    ]);
    let inputs = 0;
    for (let length = 0; length <= stream.length; length += 1) {
      for (const pieceBytes of [0, 1, 2, 3, 11, 12, 13]) {
        for (const end of ["end", "reset", "silence"] as const) {
          await play({
            role: "lane",
            end,
            moves: [{ kind: "server", pieceBytes, step: { kind: "bytes", bytes: stream.subarray(0, length) } }],
          });
          inputs += 1;
        }
      }
    }
    context.diagnostic(`${inputs} inputs`);
  });
});
