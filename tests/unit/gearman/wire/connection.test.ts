import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { makeWorkerLimits } from "../../../../src/gearman/wire/codec.ts";
import { Connection } from "../../../../src/gearman/wire/connection.ts";
import { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { makeManualClock } from "../../../support/manual-clock.ts";
import { MemorySocket } from "../support/memory-socket.ts";

/** As a server sends it: magic, type 6, no bytes. */
const NOOP = Buffer.from("\0RES\0\0\0\x06\0\0\0\0", "latin1");

let connection: Connection;

/** `pieces` is what has left it, each write by itself; each packet of the peer is answered by `answer`. */
function open(answer = "") {
  const clock = makeManualClock();
  const pieces: string[] = [];
  const socket = new MemorySocket((chunk) => void pieces.push(chunk.toString()));
  connection = new Connection({
    ...{ server: "127.0.0.1:4730", limits: makeWorkerLimits(), clock, paceClock: clock },
    connect: () => socket.socket,
    onPacket() {
      for (const word of answer) connection.send(Buffer.from(word));
    },
    ...{ onOpen() {}, onClose() {} },
  });
  socket.receive("connect");
  return { socket, clock, pieces };
}

function say(...words: string[]): void {
  for (const word of words) connection.send(Buffer.from(word));
}

afterEach(() => {
  connection.destroy(new GearmanError("TH_GEARMAN_STOPPED", "the test is over"));
});

describe("what is sent over a connection", () => {
  test("in one turn of the event loop leaves in one piece", async () => {
    const { pieces } = open();
    say("a");
    await Promise.resolve();
    say("b");
    await new Promise<void>((resolve) => process.nextTick(resolve));
    say("c");
    assert.deepEqual(pieces, []);
    await setImmediate();
    assert.deepEqual(pieces, ["abc"]);
  });

  test("soon after something else leaves with all that comes in 20 ms, and after a while at once", async () => {
    const { clock, pieces } = open();
    say("a");
    await setImmediate();
    for (const word of "bcd") {
      say(word);
      clock.skip(6);
    }
    assert.deepEqual(pieces, ["a"]);
    clock.skip(2);
    assert.deepEqual(pieces, ["a", "bcd"]);
    clock.skip(20);
    say("e");
    await setImmediate();
    assert.deepEqual(pieces, ["a", "bcd", "e"]);
  });

  test("as an answer leaves in one piece before the event loop goes on, with what waits", async () => {
    const { socket, pieces } = open("xy");
    say("a");
    await setImmediate();
    say("b");
    socket.receive("data", NOOP);
    assert.deepEqual(pieces, ["a", "bxy"]);
  });

  test("is not hurried by a packet that is not answered", async () => {
    const { socket, pieces } = open();
    say("a");
    await setImmediate();
    say("b");
    socket.receive("data", NOOP);
    assert.deepEqual(pieces, ["a"]);
  });

  test("goes out though the connection is ended at once", () => {
    const { pieces } = open();
    say("a");
    connection.destroy(new GearmanError("TH_GEARMAN_STOPPED", "stops"));
    assert.deepEqual(pieces, ["a"]);
  });
});
