import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodePacket } from "../../../../src/gearman/wire/codec.ts";
import type { OpenConnection } from "../../../../src/gearman/wire/connection.ts";
import type { GearmanError } from "../../../../src/gearman/wire/gearman-error.ts";
import { PACKET, type PacketType } from "../../../../src/gearman/wire/packet.ts";
import { Connector, type Role } from "../../../../src/gearman/worker/connector.ts";
import { type Clock, systemClock } from "../../../../src/runtime/clock.ts";
import { findFreePort } from "../../../support/free-port.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { answerStatus, startScriptedServer } from "../hostile/scripted-server.ts";
import { countHandles, Inbox } from "./link-harness.ts";

function makeRole(name: string, events: Inbox<string>): Role & { connection: OpenConnection | undefined; wantsConnection: boolean } {
  return {
    name,
    payloadLimitBytes: undefined,
    wantsConnection: true,
    connection: undefined,
    onOpen(connection) {
      this.connection = connection;
      connection.send(encodePacket(PACKET.SET_CLIENT_ID, [name]));
      events.push(`${name} open`);
    },
    onReady: () => events.push(`${name} ready`),
    onPacket: () => undefined,
    onClose: (reason) => events.push(`${name} closed ${reason.code}`),
  };
}

/** Real time, but every reconnect delay is noted and then cut short. */
function makeHurriedClock(delays: number[]): Clock {
  return {
    ...systemClock,
    schedule(delayMs, callback) {
      const isReconnect = delayMs < 2000;
      if (isReconnect) delays.push(delayMs);
      return systemClock.schedule(isReconnect ? 0 : delayMs, callback);
    },
    monotonicMs: () => performance.now() * 1000,
  };
}

function makeConnector(server: string, options: { clock?: Clock; troubles?: Inbox<string> } = {}): Connector {
  return new Connector({
    server,
    logger: silentLogger,
    clock: options.clock ?? systemClock,
    onTrouble: (role: Role, reason: GearmanError) => options.troubles?.push(`${role.name} ${reason.code}`),
  });
}

describe("Connector", () => {
  test("opens one connection after another, each when the server has answered on the one before", async () => {
    const events = new Inbox<string>();
    const waiting: [Parameters<typeof answerStatus>[0], PacketType, string[]][] = [];
    await using server = await startScriptedServer({
      onPacket: (peer, type, fields) => {
        if (type === PACKET.SET_CLIENT_ID) events.push(`server hears ${fields[0]}`);
        if (type === PACKET.GET_STATUS) waiting.push([peer, type, fields]);
      },
    });
    const connector = makeConnector(server.address);
    connector.start();
    for (const name of ["a", "b", "c"]) connector.add(makeRole(name, events));
    for (const name of ["a", "b", "c"]) {
      await events.until((items) => items.includes(`server hears ${name}`));
      while (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const [answer] = waiting.splice(0, 1);
      if (answer) answerStatus(...answer);
      await events.until((items) => items.includes(`${name} ready`));
    }
    const expected = ["a", "b", "c"].flatMap((name) => [`${name} open`, `server hears ${name}`, `${name} ready`]);
    assert.deepEqual(events.items, expected);
    await connector.stop();
    await server.stop();
    const closed = ["a", "b", "c"].map((name) => `${name} closed TH_GEARMAN_STOPPED`);
    assert.deepEqual(new Set(events.items.slice(9)), new Set(closed));
    assert.deepEqual(await countHandles(), {});
  });

  test("tries a server that is down again and again within 2 s, the delay never growing, one attempt for all roles", async () => {
    const delays: number[] = [];
    const troubles = new Inbox<string>();
    const events = new Inbox<string>();
    const connector = makeConnector(`127.0.0.1:${await findFreePort()}`, { clock: makeHurriedClock(delays), troubles });
    for (const name of ["a", "b", "c"]) connector.add(makeRole(name, events));
    connector.start();
    await troubles.until((items) => items.length >= 30);
    await connector.stop();
    assert.deepEqual(new Set(troubles.items), new Set(["a TH_GEARMAN_CONNECT"]));
    assert.ok(
      delays.every((delayMs) => delayMs > 0 && delayMs <= 1250),
      String(delays),
    );
    assert.ok(new Set(delays.map(Math.round)).size > 5, "no jitter");
    assert.deepEqual(events.items, [], "what never opened is not closed");
    assert.deepEqual(await countHandles(), {});
  });

  test("does not let one role that is thrown out at once keep the others from connecting", async () => {
    const events = new Inbox<string>();
    await using server = await startScriptedServer({
      onPacket: (peer, type, fields) => {
        if (type === PACKET.SET_CLIENT_ID && fields[0] === "bad") peer.socket.destroy();
        answerStatus(peer, type, fields);
      },
    });
    const connector = makeConnector(server.address);
    for (const name of ["bad", "good"]) connector.add(makeRole(name, events));
    connector.start();
    await events.until((items) => items.includes("good ready"));
    assert.ok(events.items.includes("bad closed TH_GEARMAN_LOST"));
    await connector.stop();
  });

  test("opens nothing for a role that wants nothing, until it does and is woken, and closes a removed one", async () => {
    const events = new Inbox<string>();
    await using server = await startScriptedServer({ onPacket: answerStatus });
    const connector = makeConnector(server.address);
    const lazy = makeRole("lazy", events);
    lazy.wantsConnection = false;
    connector.add(lazy);
    connector.add(makeRole("eager", events));
    connector.start();
    await events.until((items) => items.includes("eager ready"));
    assert.equal(lazy.connection, undefined);
    lazy.wantsConnection = true;
    connector.wake();
    await events.until((items) => items.includes("lazy ready"));
    connector.remove(lazy);
    await events.until((items) => items.includes("lazy closed TH_GEARMAN_STOPPED"));
    await connector.stop();
    assert.equal(events.items.filter((event) => event === "lazy open").length, 1);
  });
});
