import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, Server, type Socket } from "node:net";
import { describe, test } from "node:test";
import { InputError } from "../../../src/runtime/errors.ts";
import type { Logger } from "../../../src/runtime/logger.ts";
import { type Handler, type HttpServer, makeHttpServer } from "../../../src/web/server.ts";
import { silentLogger } from "../../support/silent-logger.ts";

/** More than the sockets of both sides hold. */
const MUCH = "x".repeat(4 * 2 ** 20);

const handler: Handler = (path) => {
  if (path === "/much") return { status: 200, body: MUCH };
  if (path === "/throws") throw new Error("secret detail");
  if (path === "/rejects") return Promise.reject(new Error("secret detail"));
  if (path === "/later") return new Promise((resolve) => setImmediate(resolve, { status: 200, body: "later\n" }));
  return path === "/a" ? { status: 200, body: "hello\n" } : undefined;
};

async function startServer(logger: Logger = silentLogger) {
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const server = makeHttpServer({
    listen: "127.0.0.1:0",
    handler(path) {
      if (path !== "/held") return handler(path);
      asked.resolve();
      return released.promise.then(() => ({ status: 200, body: "at last\n" }));
    },
    logger,
  });
  await server.start();
  const get = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, { ...init, headers: { connection: "close" } });
  return { server, get, asked: () => asked.promise, release: () => released.resolve(), [Symbol.asyncDispose]: () => server.stop() };
}

async function open(server: HttpServer, text = "", localAddress = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port: server.port, host: "127.0.0.1", localAddress });
  socket.on("error", () => {});
  await once(socket, "connect");
  if (text !== "") await new Promise((resolve) => socket.write(text, resolve));
  return socket;
}

/** Everything that an attacker's machine may do with a connection, once it is open. */
const KINDS: Record<string, (socket: Socket) => void> = {
  "say nothing": () => {},
  "send their headers slowly": (socket) => void socket.write("GET /a HTTP/1.1\r\nHost:"),
  "are closed on their side alone": (socket) => void socket.end(),
  "have asked, and stay": (socket) => void socket.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"),
  "ask for much, and do not read": (socket) => {
    socket.pause();
    socket.write("GET /much HTTP/1.1\r\nHost: a\r\n\r\n");
  },
  "speak TLS": (socket) => void socket.write(Buffer.from("16030100a5010000a10303", "hex")),
};

const ADDRESS = "127.0.0.1";
const FLOOD = 130;

/** Connections to the port that are opened anew as soon as they are closed. */
async function flood(port: number, play: (socket: Socket) => void, addressOf: (index: number) => string): Promise<Disposable> {
  let isOver = false;
  const sockets = new Set<Socket>();
  const openOne = async (index: number): Promise<void> => {
    const socket = connect({ port, host: ADDRESS, localAddress: addressOf(index), allowHalfOpen: true });
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      sockets.delete(socket);
      if (!isOver) void openOne(index);
    });
    await new Promise<void>((resolve) => socket.once("connect", resolve).once("close", resolve));
    play(socket);
  };
  await Promise.all(Array.from({ length: FLOOD }, (_, index) => openOne(index)));
  return {
    [Symbol.dispose]() {
      isOver = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe("the HTTP server under a flood of connections", () => {
  for (const [kind, play] of Object.entries(KINDS)) {
    test(`answers every probe while ${FLOOD} connections of one machine ${kind}`, async () => {
      await using running = await startServer();
      using _flood = await flood(running.server.port, play, () => "127.0.0.2");
      for (let count = 0; count < 30; count += 1) assert.equal((await running.get("/a")).status, 200);
    });
  }

  test("answers every probe while the connections come from many machines", async () => {
    await using running = await startServer();
    using _flood = await flood(
      running.server.port,
      () => {},
      (index) => `127.0.1.${1 + (index % 65)}`,
    );
    for (let count = 0; count < 30; count += 1) assert.equal((await running.get("/a")).status, 200);
  });

  test("answers every probe while they come from the probe's own machine", async () => {
    await using running = await startServer();
    using _flood = await flood(
      running.server.port,
      () => {},
      () => ADDRESS,
    );
    for (let count = 0; count < 30; count += 1) assert.equal((await running.get("/a")).status, 200);
  });

  test("holds a hundred, and lets the idle ones of whoever has most go, the oldest first", async () => {
    await using running = await startServer();
    const other = await open(running.server, "", "127.0.0.3");
    const sockets: Socket[] = [];
    for (let count = 0; count < 99; count += 1) sockets.push(await open(running.server, "", "127.0.0.2"));
    // It is not idle longest any more.
    const [first, second, third] = sockets as [Socket, Socket, Socket];
    const answered = once(first, "data");
    first.write("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    await answered;
    const gone = [second, third].map((socket) => once(socket, "close"));
    const more = [await open(running.server, "", "127.0.0.2"), await open(running.server, "", "127.0.0.2")];
    await Promise.all(gone);
    assert.deepEqual(
      [other, ...sockets, ...more].filter((socket) => socket.closed),
      [second, third],
    );
    for (const socket of [other, ...sockets, ...more]) socket.destroy();
  });

  test("ends a connection that asks for more and more without waiting for answers", { timeout: 20_000 }, async () => {
    await using running = await startServer();
    const request = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";
    const polite = await open(running.server, request.repeat(10), "127.0.0.2");
    const greedy = await open(running.server, "", "127.0.0.3");
    const gone = once(greedy.resume(), "close");
    greedy.write(request.repeat(11));
    await gone;
    const answers: string[] = [];
    polite.on("data", (data) => void answers.push(...(String(data).match(/HTTP\/1\.1 200/g) ?? [])));
    running.release();
    while (answers.length < 10) await once(polite, "data");
    polite.destroy();
  });

  test("lets nobody go who waits for an answer while others ask for nothing", async () => {
    await using running = await startServer();
    const asking = await open(running.server, "GET /held HTTP/1.1\r\nHost: a\r\n\r\n", "127.0.0.2");
    await running.asked();
    using _flood = await flood(
      running.server.port,
      () => {},
      () => "127.0.0.2",
    );
    for (let count = 0; count < 5; count += 1) await running.get("/a");
    const answer = once(asking, "data");
    running.release();
    assert.match(String(await answer), /^HTTP\/1\.1 200 /);
    asking.destroy();
  });
});

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
