import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { startGeard } from "../../../support/gearman/geard.ts";
import { adminStatus } from "../../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../../support/gearman/gearmand.ts";

async function connectTo(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect(port, host);
  await once(socket, "connect");
  return socket;
}

/** Resolves when the server's end is gone, by FIN or by RST. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.on("close", () => resolve());
  });
}

function canDo(name: string): Buffer {
  const packet = Buffer.alloc(12 + Buffer.byteLength(name));
  packet.write("\0REQ", "latin1");
  packet.writeUInt32BE(1, 4);
  packet.writeUInt32BE(Buffer.byteLength(name), 8);
  packet.write(name, 12);
  return packet;
}

for (const start of [startGearmand, startGeard]) {
  describe(start.name, { timeout: 300_000 }, () => {
    it("answers status with what workers registered", async () => {
      await using server = await start();
      assert.deepEqual(await adminStatus(server.address), new Map());
      const worker = await connectTo(server.port);
      // Registration and question on one connection: the answer is younger than the registration.
      worker.write(Buffer.concat([canDo("build:a"), Buffer.from("status\n")]));
      await once(worker, "data");
      assert.deepEqual(await adminStatus(server.address), new Map([["build:a", { total: 0, running: 0, workers: 1 }]]));
      worker.destroy();
    });

    it("is gone after kill9 and back, empty, on the same port after restart", async () => {
      await using server = await start();
      const worker = await connectTo(server.port);
      worker.write(Buffer.concat([canDo("build:a"), Buffer.from("status\n")]));
      await once(worker, "data");
      const { pid } = server;
      const closed = closing(worker);
      await server.kill9();
      await closed;
      await assert.rejects(adminStatus(server.address), /ECONNREFUSED/);
      await server.restart();
      assert.notEqual(server.pid, pid);
      assert.deepEqual(await adminStatus(server.address), new Map());
    });

    it("answers nothing while suspended, and everything afterwards", async () => {
      await using server = await start();
      server.suspend();
      await assert.rejects(adminStatus(server.address, { timeoutMs: 200 }), /did not answer "status" within 200 ms/);
      server.resume();
      assert.deepEqual(await adminStatus(server.address), new Map());
    });

    it("stops while suspended, twice and after kill9", async () => {
      await using server = await start();
      server.suspend();
      await server.stop();
      await server.stop();
      await server.restart();
      await server.kill9();
      await server.stop();
      await assert.rejects(adminStatus(server.address), /ECONNREFUSED/);
    });

    it("listens on 127.0.0.1 alone unless told otherwise", async () => {
      await using local = await start();
      await assert.rejects(adminStatus(`127.0.0.2:${local.port}`), /ECONNREFUSED/);
      await using open = await start({ listen: "0.0.0.0" });
      assert.equal(open.address, `127.0.0.1:${open.port}`);
      assert.deepEqual(await adminStatus(`127.0.0.2:${open.port}`), new Map());
    });

    it("dies with the process that started it, even by SIGKILL", async () => {
      const module = new URL(`../../../support/gearman/${start === startGearmand ? "gearmand" : "geard"}.ts`, import.meta.url).href;
      const code = `const { ${start.name} } = await import("${module}"); console.log((await ${start.name}()).port);`;
      const parent = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
      const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string];
      const socket = await connectTo(Number(line));
      const closed = closing(socket);
      parent.kill("SIGKILL");
      await closed;
      await assert.rejects(adminStatus(`127.0.0.1:${line}`), /ECONNREFUSED|ECONNRESET/); // it may still be closing its other sockets
    });
  });
}

describe("options", { timeout: 300_000 }, () => {
  it("gives gearmand its extra arguments", async () => {
    await using server = await startGearmand({ extraArgs: ["--job-handle-prefix=H:mine"] });
    assert.match(readFileSync(`/proc/${server.pid}/cmdline`, "latin1"), /^gearmand\0.*\0--job-handle-prefix=H:mine\0$/);
  });

  it("turns geard's keepalive on and leaves it off by default", async () => {
    await using without = await startGeard();
    await using with_ = await startGeard({ keepalive: { idle: 2, interval: 1, count: 3 } });
    for (const [server, expected] of [
      [without, false],
      [with_, true],
    ] as const) {
      const socket = await connectTo(server.port);
      socket.write("status\n");
      await once(socket, "data");
      assert.equal(hasKeepaliveTimer(server.port), expected);
      socket.destroy();
    }
  });

  it("says why a server did not start", async () => {
    await using server = await startGeard();
    await assert.rejects(startGeard({ port: server.port }), /ended before it said "listening.*Could not open socket/s);
    await assert.rejects(startGearmand({ extraArgs: ["--no-such-option"] }), /no-such-option/);
  });
});

/** Whether the server's end of a connection to `port` runs the kernel's keepalive timer (proc(5): `tr` 02). */
function hasKeepaliveTimer(port: number): boolean {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((row) => row.trim().split(/\s+/));
  return rows.some((row) => row[1] === local && row[3] === "01" && row[5]?.startsWith("02:"));
}
