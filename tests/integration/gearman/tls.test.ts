import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { describe, test } from "node:test";
import { type ConnectionOptions, connect } from "node:tls";
import { makeSlotPool } from "../../../src/gearman/worker/slot-pool.ts";
import { startGeard } from "../../support/gearman/geard.ts";
import type { GearmanServer } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { startTlsTunnel } from "../../support/gearman/stunnel.ts";
import { connectTestClient, startTestLink, submitBuild, untilLost, within } from "./worker/link-harness.ts";

/** What comes back on a connection that sends these bytes: the first answer, or how it ended. */
function answerTo(port: number, bytes: Buffer): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connectTcp({ port, host: "127.0.0.1" }, () => socket.write(bytes));
  socket.on("data", (chunk) => resolve(chunk.toString("latin1")));
  socket.on("error", (error) => resolve(error.message));
  socket.on("close", () => resolve("closed"));
  return within(promise, () => "no answer").finally(() => socket.destroy());
}

/** Whether somebody with these credentials gets through to the server behind; TLS 1.3 refuses a client after its handshake. */
function asksStatus(address: string, options: ConnectionOptions): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host, port: Number(port), servername: "gearman.example.org", ...options }, () => socket.write("status\n"));
  socket.on("data", (chunk: Buffer) => resolve(chunk.toString()));
  socket.on("error", (error) => resolve(`refused: ${error.message}`));
  socket.on("close", () => resolve("refused"));
  return within(promise, () => "no answer").finally(() => socket.destroy());
}

for (const [kind, startServer] of [
  ["gearmand", () => startGearmand()],
  ["geard", () => startGeard()],
] as [string, () => Promise<GearmanServer>][]) {
  describe(`a TLS tunnel to ${kind}`, () => {
    test("carries builds and stops; when it is cut the link is back within seconds of its return, and the build is not wrong", async () => {
      await using server = await startServer();
      await using tunnel = await startTlsTunnel(server);
      await using client = await connectTestClient(server);
      await using harness = await startTestLink([tunnel.address]);
      const slots = makeSlotPool({ capacity: 2 });
      harness.link.setRegistrations({ functions: [], lanes: [{ name: "x", functions: ["build:a"], slots }] });
      await harness.until(({ isRegistered, kind }) => isRegistered && kind !== "unknown");
      assert.equal(harness.link.servers[0]?.kind, kind);

      const payload = Buffer.alloc(300_000, "0123456789");
      const first = submitBuild(client, "build:a", "1", payload);
      const assignment = await harness.assignments.next();
      assert.ok(Buffer.from(assignment.payload).equals(payload));
      assert.equal(await assignment.complete("{}"), "delivered");
      assignment.slot.release();
      assert.equal((await first.end()).kind, "complete");
      assert.equal((await submitBuild(client, "stop:turbo-hipster-test", "s", "{}").end()).kind, "complete");

      const second = submitBuild(client, "build:a", "2");
      const lost = await harness.assignments.next();
      await tunnel.cut();
      await untilLost(lost);
      assert.equal(await lost.complete("stale"), "lost");
      lost.slot.release();
      await tunnel.restore();
      await harness.until(({ isRegistered }) => isRegistered);
      if (kind === "gearmand") assert.equal(await (await harness.assignments.next()).complete("fresh"), "delivered");
      const end = await second.end();
      assert.deepEqual(
        [end.kind, "payload" in end ? end.payload.toString() : ""],
        kind === "gearmand" ? ["complete", "fresh"] : ["fail", ""],
      );
    });
  });
}

describe("the server's end of a TLS tunnel", () => {
  test("takes a certificate of its authority, at least TLS 1.2, and nothing else", async () => {
    await using server = await startGearmand();
    await using tunnel = await startTlsTunnel(server);
    const [ca, cert, key] = await Promise.all([tunnel.read("ca.crt"), tunnel.read("worker.crt"), tunnel.read("worker.key")]);
    assert.equal(await asksStatus(tunnel.tlsAddress, { ca, cert, key }), ".\n");
    assert.match(await asksStatus(tunnel.tlsAddress, { ca }), /^refused/);
    assert.match(
      await asksStatus(tunnel.tlsAddress, { ca, cert, key, minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }),
      /^refused/,
    );
    assert.notEqual(await answerTo(Number(tunnel.tlsAddress.split(":")[1]), Buffer.from("status\n")), ".\n");
  });
});

describe("TLS of the servers themselves", () => {
  test("Debian's gearmand takes --ssl and goes on speaking plain text", async () => {
    await using server = await startGearmand({ extraArgs: ["--ssl"] });
    assert.equal(await answerTo(server.port, Buffer.from("status\n")), ".\n");
    const refused = await asksStatus(server.address, { rejectUnauthorized: false });
    assert.match(refused, /^refused/);
  });
});
