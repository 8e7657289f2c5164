import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { makeWorkerLimits } from "../../../../src/gearman/wire/codec.ts";
import { Connection } from "../../../../src/gearman/wire/connection.ts";
import { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { MemorySocket } from "../support/memory-socket.ts";

/** What leaves it, and in how many pieces. */
class CorkedSocket extends MemorySocket {
  readonly pieces: string[] = [];
  #held: string[] = [];
  override writableCorked = 0;

  constructor() {
    super(() => {});
  }

  override cork(): void {
    this.writableCorked += 1;
  }

  override uncork(): void {
    if (this.writableCorked > 0) this.writableCorked -= 1;
    if (this.writableCorked > 0 || this.#held.length === 0) return;
    if (!this.isDestroyed) this.pieces.push(this.#held.join(""));
    this.#held = [];
  }

  override write(chunk: Buffer): void {
    this.#held.push(chunk.toString());
    this.cork();
    this.uncork();
  }
}

let connection: Connection;

function open(): CorkedSocket {
  const socket = new CorkedSocket();
  connection = new Connection({
    ...{ server: "127.0.0.1:4730", limits: makeWorkerLimits(), clock: systemClock },
    connect: () => socket.socket,
    ...{ onOpen() {}, onPacket() {}, onClose() {} },
  });
  socket.receive("connect");
  return socket;
}

afterEach(() => {
  connection.destroy(new GearmanError("TH_GEARMAN_STOPPED", "the test is over"));
});

describe("what is sent over a connection", () => {
  test("in one turn of the event loop leaves in one piece", async () => {
    const socket = open();
    connection.send(Buffer.from("a"));
    await Promise.resolve();
    connection.send(Buffer.from("b"));
    await new Promise<void>((resolve) => process.nextTick(resolve));
    connection.send(Buffer.from("c"));
    assert.deepEqual(socket.pieces, []);
    await setImmediate();
    assert.deepEqual(socket.pieces, ["abc"]);
  });

  test("goes out though the connection is ended at once", () => {
    const socket = open();
    connection.send(Buffer.from("a"));
    connection.destroy(new GearmanError("TH_GEARMAN_STOPPED", "stops"));
    assert.deepEqual(socket.pieces, ["a"]);
  });
});
