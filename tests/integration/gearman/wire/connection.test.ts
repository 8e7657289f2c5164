import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import fc from "fast-check";
import { encodePacket, makeWorkerLimits } from "../../../../src/gearman/wire/codec.ts";
import { Connection, type ConnectionOptions } from "../../../../src/gearman/wire/connection.ts";
import { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { PACKET, type PacketType } from "../../../../src/gearman/wire/packet.ts";
import { type Clock, systemClock } from "../../../../src/runtime/clock.ts";
import { findFreePort } from "../../../support/free-port.ts";
import { answerStatus, startScriptedServer } from "../hostile/scripted-server.ts";
import { countHandles, within } from "../worker/link-harness.ts";

const STOPPED = new GearmanError("TH_GEARMAN_STOPPED", "the test is over");

interface Opened {
  connection: Connection;
  opened: Promise<void>;
  packets: [PacketType, string][];
  /** With what `onClose` was called, each time. */
  closes: GearmanError[];
  closed(): Promise<GearmanError>;
}

function open(server: string, options: Partial<ConnectionOptions> = {}): Opened {
  const opened = Promise.withResolvers<void>();
  const packets: [PacketType, string][] = [];
  const closes: GearmanError[] = [];
  const connection = new Connection({
    server,
    limits: makeWorkerLimits(),
    clock: systemClock,
    onOpen: () => opened.resolve(),
    onPacket: (type, body) => packets.push([type, body.toString("latin1")]),
    onClose: (reason) => closes.push(reason),
    ...options,
  });
  return {
    connection,
    opened: opened.promise,
    packets,
    closes,
    async closed() {
      await within(connection.closed, () => "the connection is still open");
      assert.equal(closes.length, 1);
      return closes[0] as GearmanError;
    },
  };
}

describe("Connection", () => {
  afterEach(async () => {
    assert.deepEqual(await countHandles(), {});
  });

  test("says that nobody listens", async () => {
    const server = `127.0.0.1:${await findFreePort()}`;
    const reason = await open(server).closed();
    assert.equal(reason.code, "TH_GEARMAN_CONNECT");
    assert.match(reason.message, /cannot connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
    assert.equal(reason.retryable, true);
  });

  test("names every address it tried", async () => {
    const reason = await open(`localhost:${await findFreePort()}`).closed();
    assert.match(reason.message, /cannot connect to localhost:\d+: .*ECONNREFUSED/);
  });

  test("gives up an attempt that takes too long", async () => {
    await using server = await startScriptedServer({});
    const due: (() => void)[] = [];
    const clock: Clock = {
      ...systemClock,
      schedule: (_delayMs, callback) => {
        due.push(callback);
        return () => undefined;
      },
    };
    const opened = open(server.address, { clock });
    due[0]?.(); // before the event loop could establish it
    const reason = await opened.closed();
    assert.equal(reason.code, "TH_GEARMAN_CONNECT");
    assert.match(reason.message, /within 10000 ms/);
  });

  for (const [what, end] of [
    ["closes", "end"],
    ["resets", "resetAndDestroy"],
  ] as const) {
    test(`ends when the peer ${what} it, and tells whoever waits for an answer`, async () => {
      await using server = await startScriptedServer({ onPacket: (peer) => peer.socket[end]() });
      const { connection, opened, closed } = open(server.address);
      await opened;
      const answer = new Promise((resolve) => connection.requestStatus("H:1", resolve));
      assert.equal(await answer, undefined);
      assert.equal((await closed()).code, "TH_GEARMAN_LOST");
      connection.send(encodePacket(PACKET.PRE_SLEEP));
      assert.equal(await new Promise((resolve) => connection.requestProof(resolve)), false);
    });
  }

  test("ends on bytes that are not Gearman, without looking at the rest", async () => {
    const good = encodePacket(PACKET.NOOP, [], "response");
    await using server = await startScriptedServer({
      onConnect: (peer) => peer.socket.write(Buffer.concat([good, Buffer.from("HTTP/1.1 400 Bad Request\r\n"), good])),
    });
    const { packets, closed } = open(server.address);
    const reason = await closed();
    assert.equal(reason.code, "TH_GEARMAN_PROTOCOL");
    assert.deepEqual(packets, [[PACKET.NOOP, ""]]);
  });

  test("ends on an error of its own handler, with the cause", async () => {
    await using server = await startScriptedServer({ onConnect: (peer) => peer.send(PACKET.NOOP) });
    const bug = new TypeError("a bug");
    const reason = await open(server.address, {
      onPacket: () => {
        throw bug;
      },
    }).closed();
    assert.equal(reason.code, "TH_GEARMAN_INTERNAL");
    assert.equal(reason.cause, bug);
  });

  test("ends when the peer accepts, reads and says nothing", async () => {
    await using server = await startScriptedServer({ onPacket: () => undefined });
    const reason = await open(server.address, { times: { heartbeatMs: 20, answerMs: 100 } }).closed();
    assert.equal(reason.code, "TH_GEARMAN_SILENT");
  });

  test("ends when one question stays unanswered although heartbeats are answered", async () => {
    await using server = await startScriptedServer({
      onPacket: (peer, type, fields) => {
        if (fields[0] !== "H:1") answerStatus(peer, type, fields);
      },
    });
    const { connection, opened, closed } = open(server.address, { times: { heartbeatMs: 20, answerMs: 200 } });
    await opened;
    const answer = new Promise((resolve) => connection.requestStatus("H:1", resolve));
    assert.equal((await closed()).code, "TH_GEARMAN_SILENT");
    assert.equal(await answer, undefined);
  });

  test("stays while heartbeats are answered", async () => {
    let beats = 0;
    const many = Promise.withResolvers<void>();
    await using server = await startScriptedServer({
      onPacket: (peer, type, fields) => {
        beats += 1;
        if (beats === 20) many.resolve();
        answerStatus(peer, type, fields);
      },
    });
    const { connection, closes } = open(server.address, { times: { heartbeatMs: 10, answerMs: 100 } });
    await many.promise;
    assert.deepEqual(closes, []);
    connection.destroy(STOPPED);
    await connection.closed;
  });

  test("ends, with bounded memory, when the peer takes nothing off it", async () => {
    await using server = await startScriptedServer({ onConnect: (peer) => peer.socket.pause() });
    const { connection, opened, closed } = open(server.address, { maxUnsentBytes: 2 ** 20 });
    await opened;
    const packet = encodePacket(PACKET.WORK_DATA, ["H:1", Buffer.alloc(2 ** 16)]);
    let sent = 0;
    while (connection.isOpen) {
      for (let burst = 0; burst < 8; burst += 1) connection.send(packet);
      sent += 8 * packet.length;
      assert.ok(sent < 2 ** 26, "it is still taking packets");
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await closed()).code, "TH_GEARMAN_BACKLOG");
  });

  test("matches answers by handle, in the order of the questions for each", async () => {
    await using server = await startScriptedServer({
      onPacket: (peer, _type, fields) => {
        if (fields[0] !== "last") return;
        peer.send(PACKET.STATUS_RES, ["nobody asked", "1", "1", "1", "1"]);
        for (const [handle, numerator] of [
          ["b", "5"],
          ["last", "9"],
          ["a", "1"],
          ["a", "2"],
          ["a", "3"],
        ] as const) {
          peer.send(PACKET.STATUS_RES, [handle, "1", "0", numerator, "100"]);
        }
      },
    });
    const { connection, opened, packets } = open(server.address);
    await opened;
    const numerators = await Promise.all(
      ["a", "b", "a", "last"].map(async (handle) => {
        const status = await new Promise<{ numerator: number } | undefined>((resolve) => connection.requestStatus(handle, resolve));
        return status?.numerator;
      }),
    );
    assert.deepEqual(numerators, [1, 5, 2, 9]);
    assert.deepEqual(packets, []);
    connection.destroy(STOPPED);
    await connection.closed;
  });

  test("sends in one piece what one packet of the peer has caused, before the event loop goes on", async () => {
    const chunks: number[] = [];
    const arrived = Promise.withResolvers<void>();
    await using server = await startScriptedServer({
      onConnect: (peer) => {
        peer.socket.on("data", (chunk: Buffer) => {
          chunks.push(chunk.length);
          arrived.resolve();
        });
        peer.send(PACKET.NOOP);
      },
    });
    const packet = encodePacket(PACKET.WORK_STATUS, ["H:1", "0", "100"]);
    let sentAtOnce = 0;
    const { connection } = open(server.address, {
      onPacket: () => {
        for (let index = 0; index < 5; index += 1) connection.send(packet);
        sentAtOnce += 1;
      },
    });
    await arrived.promise;
    assert.equal(sentAtOnce, 1);
    assert.deepEqual(chunks, [5 * packet.length]);
    connection.destroy(STOPPED);
    await connection.closed;
  });

  test("survives any server: every stream of bytes, cut anywhere, ends in one coded reason", async () => {
    const packet = fc
      .tuple(fc.constantFrom(...(Object.values(PACKET) as PacketType[])), fc.uint8Array({ maxLength: 30 }), fc.integer({ min: -3, max: 3 }))
      .map(([type, body, lie]) => {
        const bytes = Buffer.concat([Buffer.from("\0RES\0\0\0\0\0\0\0\0", "latin1"), body]);
        bytes.writeUInt32BE(type, 4);
        bytes.writeUInt32BE(Math.max(0, body.length + (lie > 1 ? lie : 0)), 8);
        return bytes;
      });
    const stream = fc.array(fc.oneof({ weight: 6, arbitrary: packet }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) }), {
      maxLength: 6,
    });
    const pieces = new Map<string, { chunks: Uint8Array[]; isReset: boolean }>();
    await using server = await startScriptedServer({
      onConnect: ({ socket }) => {
        const { chunks, isReset } = pieces.get("now") ?? { chunks: [], isReset: false };
        for (const chunk of chunks) socket.write(chunk);
        if (isReset) socket.resetAndDestroy();
        else socket.end();
      },
    });
    await fc.assert(
      fc.asyncProperty(stream, fc.boolean(), async (chunks, isReset) => {
        pieces.set("now", { chunks: chunks.map((chunk) => Buffer.from(chunk)), isReset });
        const reason = await open(server.address).closed();
        assert.ok(["TH_GEARMAN_PROTOCOL", "TH_GEARMAN_LOST", "TH_GEARMAN_CONNECT"].includes(reason.code), reason.code);
      }),
      { numRuns: 500 },
    );
  });
});
