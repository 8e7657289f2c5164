import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, Server, type Socket } from "node:net";
import { describe, test } from "node:test";
import { InputError } from "../../../src/runtime/errors.ts";
import type { Logger } from "../../../src/runtime/logger.ts";
import { type Handler, type HttpServer, makeHttpServer } from "../../../src/web/server.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const handler: Handler = (path) => {
  if (path === "/throws") throw new Error("secret detail");
  if (path === "/rejects") return Promise.reject(new Error("secret detail"));
  if (path === "/later") return new Promise((resolve) => setImmediate(resolve, { status: 200, body: "later\n" }));
  return path === "/a" ? { status: 200, body: "hello\n" } : undefined;
};

async function startServer(logger: Logger = silentLogger) {
  const server = makeHttpServer({ listen: "127.0.0.1:0", handler, logger });
  await server.start();
  const get = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, { ...init, headers: { connection: "close" } });
  return { server, get, [Symbol.asyncDispose]: () => server.stop() };
}

async function open(server: HttpServer, text = ""): Promise<Socket> {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  if (text !== "") await new Promise((resolve) => socket.write(text, resolve));
  return socket;
}

describe("the HTTP server", () => {
  test("answers by path, whatever the query, and lets nobody guess, frame or keep it", async () => {
    await using running = await startServer();
    const answer = await running.get("/a?b=/throws");
    assert.deepEqual([answer.status, await answer.text()], [200, "hello\n"]);
    assert.deepEqual(
      ["content-type", "x-content-type-options", "content-security-policy", "cache-control"].map((name) => answer.headers.get(name)),
      ["text/plain; charset=utf-8", "nosniff", "default-src 'none'", "no-store"],
    );
  });

  test("answers what takes a while", async () => {
    await using running = await startServer();
    assert.equal(await (await running.get("/later")).text(), "later\n");
  });

  test("answers HEAD without a body, 404 for what it does not have, 405 for what changes things", async () => {
    await using running = await startServer();
    const head = await running.get("/a", { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    const missing = await running.get("/b");
    assert.deepEqual([missing.status, await missing.text()], [404, "nothing is here\n"]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const refused = await running.get("/a", { method, ...(method === "POST" ? { body: "x".repeat(100_000) } : {}) });
      assert.deepEqual([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"]);
      await refused.text();
    }
  });

  test("answers 500 without a word of the error, and logs it", async () => {
    const logged: string[] = [];
    await using running = await startServer({ ...silentLogger, error: (_fields, message) => void logged.push(message) });
    for (const path of ["/throws", "/rejects"]) {
      const answer = await running.get(path);
      assert.equal(answer.status, 500);
      assert.doesNotMatch(await answer.text(), /secret/);
      assert.deepEqual(logged.splice(0), ["answers 500 after an unexpected error"]);
    }
  });

  test("stops though clients hold connections, silent or in the middle of a request", async () => {
    await using running = await startServer();
    const sockets = [
      await open(running.server),
      await open(running.server, "GET /a HT"),
      await open(running.server, "GET /a HTTP/1.1\r\n"),
    ];
    const closed = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    await running.server.stop();
    await Promise.all(closed);
    assert.equal(running.server.port, 0);
    await running.server.stop();
  });

  test("takes 100 connections and no more, and another when one has gone", async () => {
    await using running = await startServer();
    const sockets = await Promise.all(Array.from({ length: 100 }, () => open(running.server)));
    const refused = await open(running.server);
    await once(refused, "close");
    const freed = once(sockets[0] as Socket, "close");
    sockets[0]?.write("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    sockets[0]?.resume();
    await freed;
    assert.equal((await running.get("/a")).status, 200);
    for (const socket of sockets) socket.destroy();
  });

  test("says which address it cannot listen on, and where to change that", async () => {
    await using running = await startServer();
    const second = makeHttpServer({ listen: `127.0.0.1:${running.server.port}`, handler, logger: silentLogger });
    await assert.rejects(second.start(), (error: Error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, new RegExp(`cannot listen on 127.0.0.1:${running.server.port} \\(EADDRINUSE\\); .* http: `));
      return true;
    });
    await second.stop();
  });

  test("may be stopped before and while it starts, and then does not listen", async () => {
    const before = makeHttpServer({ listen: "127.0.0.1:0", handler, logger: silentLogger });
    await before.stop();
    await before.start();
    assert.equal(before.port, 0);
    const meanwhile = makeHttpServer({ listen: "127.0.0.1:0", handler, logger: silentLogger });
    const started = meanwhile.start();
    await meanwhile.stop();
    await started;
    assert.equal(meanwhile.port, 0);
  });

  test("goes on when a connection could not be taken", async () => {
    const logged: string[] = [];
    await using running = await startServer({ ...silentLogger, error: (_fields, message) => void logged.push(message) });
    const handles = (process as unknown as { _getActiveHandles(): object[] })._getActiveHandles();
    const listener = handles.find(
      (handle) => handle instanceof Server && (handle.address() as { port: number } | null)?.port === running.server.port,
    );
    (listener as Server).emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }));
    assert.deepEqual(logged, ["could not take a connection"]);
    assert.equal((await running.get("/a")).status, 200);
  });
});
