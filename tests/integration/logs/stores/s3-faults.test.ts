import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { after, before, describe, type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { StoreError } from "../../../../src/logs/stores/log-store.ts";
import type { Logger } from "../../../../src/runtime/logger.ts";
import { startConnectProxy } from "../../../support/proxies/connect-proxy.ts";
import { startTcpProxy } from "../../../support/proxies/tcp-proxy.ts";
import { S3_CREDENTIALS, type S3Server, startS3Server } from "../../../support/s3/s3-server.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock, type SkippingClock } from "../../../support/skipping-clock.ts";
import { chunks, listed, makeS3Store, never, readStored, writeCredentials } from "./store-stage.ts";

const MEBIBYTE = 1024 * 1024;

/** Pauses are over as soon as they begin. */
function impatient(): { clock: SkippingClock; pausesMs: number[] } {
  const clock = makeSkippingClock();
  const pausesMs: number[] = [];
  clock.onSchedule((delayMs) => {
    pausesMs.push(delayMs);
    setImmediate(() => clock.skip(delayMs));
  });
  return { clock, pausesMs };
}

function listener(): { logger: Logger; said: string[] } {
  const said: string[] = [];
  const warn = (fields: object, message: string) => void said.push(`${message}: ${(fields as { err?: Error }).err?.message ?? ""}`);
  return { logger: { ...silentLogger, warn }, said };
}

async function* blocks(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(MEBIBYTE, `${index} `);
}

type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

/** An HTTP server in front of the real one that may answer in its place; a Host as the client sent it, for that is signed. */
async function startInterceptor(target: S3Server, intercept: Intercept, context: TestContext): Promise<string> {
  const server = createServer((incoming, response) => {
    if (intercept(incoming, response)) return;
    const { method = "GET", url = "/", headers } = incoming;
    const onward = request({ port: target.port, host: "127.0.0.1", method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What S3 servers answer; https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
function refuse(response: ServerResponse, status: number, code: string, message: string): true {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>1</RequestId></Error>`,
  );
  return true;
}

describe("a bucket", () => {
  let server: S3Server;
  before(async () => {
    server = await startS3Server();
  });
  after(() => server[Symbol.asyncDispose]());

  test("that is down for a minute while a log is stored costs no byte, and each try is told", async (context) => {
    await using proxy = await startTcpProxy({ port: server.port });
    const clock = makeSkippingClock();
    const { logger, said } = listener();
    let failures = 0;
    clock.onSchedule((delayMs) => {
      failures += 1;
      // Half a minute and more of pauses, in no time, before it is there again.
      if (failures === 7) proxy.open();
      setImmediate(() => clock.skip(delayMs));
    });
    const store = await makeS3Store(server, { endpoint: `http://${proxy.address}`, prefix: "down", clock, logger });
    context.after(() => store.close());
    let opened = 0;
    const stored = await store.put(
      "a/console.log",
      async function* () {
        opened += 1;
        for await (const block of blocks(30)) {
          if (block[0] === "1".charCodeAt(0) && block[1] === "2".charCodeAt(0)) proxy.close();
          yield block;
        }
      },
      never,
    );
    assert.equal(stored, 30 * MEBIBYTE);
    assert.equal(opened, 1, "what was sent is not sent again");
    assert.equal(said.length, 7);
    assert.match(said[0] ?? "", /^could not store part \d of down\/a\/console\.log, tries again: the log store s3:\/\/logs\/down at http/);
    assert.deepEqual(await store.stat("a/console.log", never), { bytes: 30 * MEBIBYTE });
    const whole = Buffer.concat(await Array.fromAsync(blocks(30)));
    for (const at of [0, 8 * MEBIBYTE - 10, 12 * MEBIBYTE - 10, 16 * MEBIBYTE - 10, 30 * MEBIBYTE - 20]) {
      const expected = whole.subarray(at, at + 20).toString();
      assert.equal(await readStored(store, "a/console.log", { start: at, end: at + 20 }), expected);
    }
  });

  test("that stays down is given up after minutes, with what to look at, and may be tried again later", async (context) => {
    await using proxy = await startTcpProxy({ port: server.port });
    proxy.close();
    const { clock, pausesMs } = impatient();
    const store = await makeS3Store(server, { endpoint: `http://${proxy.address}`, prefix: "gone", clock });
    context.after(() => store.close());
    await assert.rejects(store.putText("a/b", "x", never), (error) => {
      assert.ok(error instanceof StoreError);
      assert.deepEqual([error.code, error.retryable], ["TH_STORE_AWAY", true]);
      assert.match(error.message, /^the log store s3:\/\/logs\/gone at http:\/\/127\.0\.0\.1:\d+ could not store gone\/a\/b: /);
      return true;
    });
    const waitedMs = pausesMs.reduce((sum, each) => sum + each, 0);
    assert.ok(waitedMs > 4 * 60_000 && waitedMs <= 5 * 60_000 && pausesMs.length < 60, `${pausesMs.length} pauses of ${waitedMs} ms`);
    pausesMs.length = 0;
    await assert.rejects(store.stat("a/b", never), /could not look at/);
    assert.ok(pausesMs.reduce((sum, each) => sum + each, 0) <= 10_000, "somebody waits for a page");
  });

  test("that breaks connections in the middle of parts gets the whole log all the same", async (context) => {
    await using proxy = await startTcpProxy({ port: server.port });
    const { clock } = impatient();
    const store = await makeS3Store(server, { endpoint: `http://${proxy.address}`, prefix: "cut", clock });
    context.after(() => store.close());
    let [sent, cuts] = [0, 0];
    proxy.onChunk = (chunk, from) => {
      if (from === "client") sent += chunk.length;
      if (sent < 5 * MEBIBYTE * (cuts + 1) || cuts === 5) return;
      cuts += 1;
      proxy.cut();
    };
    assert.equal(await store.put("a/console.log", () => blocks(40), never), 40 * MEBIBYTE);
    assert.equal(cuts, 5);
    assert.deepEqual(await store.stat("a/console.log", never), { bytes: 40 * MEBIBYTE });
    assert.deepEqual(await listed(store), ["a/console.log"]);
  });

  test("that is slow is waited for, and nothing is sent twice", async (context) => {
    let received = 0;
    const trickle = (incoming: IncomingMessage, response: ServerResponse) => {
      if (incoming.method !== "PUT") return false;
      const { method, url, headers } = incoming;
      const onward = request({ port: server.port, host: "127.0.0.1", method, path: url, headers, agent: false }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      const slow = async function* () {
        for await (const chunk of incoming) {
          received += (chunk as Buffer).length;
          await setTimeout(5);
          yield chunk;
        }
      };
      void pipeline(slow(), onward).catch((error) => response.destroy(error));
      return true;
    };
    const { logger, said } = listener();
    const endpoint = await startInterceptor(server, trickle, context);
    const store = await makeS3Store(server, { endpoint, prefix: "slow", logger });
    context.after(() => store.close());
    assert.equal(await store.put("a/console.log", () => blocks(20), never), 20 * MEBIBYTE);
    assert.deepEqual([said, received], [[], 20 * MEBIBYTE]);
    assert.deepEqual(await store.stat("a/console.log", never), { bytes: 20 * MEBIBYTE });
  });

  test("that takes a part and then says nothing gets it once more after half a minute", async (context) => {
    let silent = 0;
    const silence = ({ method, url = "" }: IncomingMessage) => {
      if (method !== "PUT" || !/partNumber=2/.test(url) || silent > 0) return false;
      silent += 1;
      return true;
    };
    const { clock } = impatient();
    const { logger, said } = listener();
    const endpoint = await startInterceptor(server, silence, context);
    const store = await makeS3Store(server, { endpoint, prefix: "silent", clock, logger });
    context.after(() => store.close());
    assert.equal(await store.put("a/console.log", () => blocks(20), never), 20 * MEBIBYTE);
    assert.deepEqual([silent, said.length], [1, 1]);
    assert.match(said[0] ?? "", /^could not store part 2 of silent\/a\/console\.log, tries again: /);
    assert.deepEqual(await store.stat("a/console.log", never), { bytes: 20 * MEBIBYTE });
  });

  test("whose answer to the last word is lost has the log, and the second word does no harm", async (context) => {
    let lost = 0;
    const isLast = ({ method, url = "" }: IncomingMessage) => method === "POST" && /uploadId=/.test(url);
    const endpoint = await startInterceptor(
      server,
      (incoming, response) => {
        if (!isLast(incoming)) return false;
        lost += 1;
        // What servers say that have forgotten the upload by then; this one has not.
        if (lost > 1) return refuse(response, 404, "NoSuchUpload", "The specified multipart upload does not exist.");
        const { method, url, headers } = incoming;
        const onward = request({ port: server.port, host: "127.0.0.1", method, path: url, headers, agent: false }, (answer) => {
          answer.resume().on("end", () => response.destroy());
        });
        incoming.pipe(onward);
        return true;
      },
      context,
    );
    const { clock } = impatient();
    const store = await makeS3Store(server, { endpoint, prefix: "last", clock });
    context.after(() => store.close());
    assert.equal(await store.put("a/console.log", () => blocks(20), never), 20 * MEBIBYTE);
    assert.equal(lost, 2);
    assert.deepEqual(await store.stat("a/console.log", never), { bytes: 20 * MEBIBYTE });
  });

  const passing: [string, (response: ServerResponse) => true, RegExp][] = [
    ["says SlowDown", (response) => refuse(response, 503, "SlowDown", "Please reduce your request rate."), /503 SlowDown - Please reduce/],
    [
      "has an error of its own",
      (response) => refuse(response, 500, "InternalError", "We encountered an internal error."),
      /500 InternalError/,
    ],
    [
      "is full",
      (response) => refuse(response, 507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold."),
      /507 XMinioStorageFull.*Make room/,
    ],
    [
      "is behind a proxy that shows a page instead",
      (response) => Boolean(response.writeHead(502, { "content-type": "text/html" }).end("<html><h1>Bad Gateway</h1>")) as true,
      /502/,
    ],
    [
      "is behind a proxy that says yes to everything",
      (response) => Boolean(response.writeHead(200).end("<html>Welcome</html>")) as true,
      /is no S3 server/,
    ],
  ];
  for (const [name, answer, told] of passing) {
    test(`that ${name} for a while is waited for, and told so`, async (context) => {
      let answers = 0;
      const intercept: Intercept = (incoming, response) => {
        if (incoming.method !== "PUT" || answers === 3) return false;
        answers += 1;
        incoming.resume();
        return answer(response);
      };
      const { clock } = impatient();
      const { logger, said } = listener();
      const store = await makeS3Store(server, {
        endpoint: await startInterceptor(server, intercept, context),
        prefix: "passing",
        clock,
        logger,
      });
      context.after(() => store.close());
      assert.equal(await store.put("a/console.log", () => chunks("log"), never), 3);
      assert.equal(said.length, 3);
      assert.match(said[0] ?? "", told);
      assert.equal(await readStored(store, "a/console.log"), "log");
    });
  }

  const refusals: [string, number, string, RegExp][] = [
    ["has not been made", 404, "NoSuchBucket", /404 NoSuchBucket.* Make the bucket, or mend logs\.bucket\.$/],
    ["denies it", 403, "AccessDenied", /403 AccessDenied.* rights to list the bucket/],
    ["does not know the key", 403, "InvalidAccessKeyId", /logs\.credentialsDirectory/],
    ["has another secret", 403, "SignatureDoesNotMatch", /AWS_SECRET_ACCESS_KEY/],
    ["is in another region", 400, "AuthorizationHeaderMalformed", /logs\.region/],
    ["is none", 405, "MethodNotAllowed", /logs\.endpoint/],
    ["has something new to say", 400, "NeverHeardOf", /logs\.endpoint, and what the server says/],
  ];
  for (const [name, status, code, told] of refusals) {
    test(`that ${name} is not asked again, and the remedy is told`, async (context) => {
      const intercept: Intercept = (incoming, response) => {
        incoming.resume();
        return refuse(response, status, code, "No.");
      };
      const { clock, pausesMs } = impatient();
      const store = await makeS3Store(server, { endpoint: await startInterceptor(server, intercept, context), clock });
      context.after(() => store.close());
      for (const call of [() => store.put("a/b", () => chunks("x"), never), () => store.list("", { limit: 1 }, never)]) {
        await assert.rejects(call, (error) => {
          assert.ok(error instanceof StoreError);
          assert.deepEqual([error.code, error.retryable], ["TH_STORE_REFUSED", false]);
          assert.match(error.message, told);
          return true;
        });
      }
      assert.deepEqual(pausesMs, []);
    });
  }

  test("refuses a wrong key, and takes the right one as soon as the Secret has it", async (context) => {
    const credentialsDirectory = await writeCredentials(server, { ...S3_CREDENTIALS, AWS_SECRET_ACCESS_KEY: "another" });
    const make = () => makeS3Store(server, { credentialsDirectory });
    const wrong = await make();
    context.after(() => wrong.close());
    await assert.rejects(wrong.putText("key/a", "x", never), /SignatureDoesNotMatch.*AWS_SECRET_ACCESS_KEY/);
    await writeFile(join(credentialsDirectory, "AWS_SECRET_ACCESS_KEY"), S3_CREDENTIALS.AWS_SECRET_ACCESS_KEY);
    const right = await make();
    context.after(() => right.close());
    await right.putText("key/a", "x", never);
    await rm(join(credentialsDirectory, "AWS_ACCESS_KEY_ID"));
    const without = await make();
    context.after(() => without.close());
    await assert.rejects(
      without.putText("key/a", "x", never),
      /cannot read the credentials in .*logs\.credentialsDirectory.*There are no credentials/,
    );
  });

  test("is reached though this machine's clock is an hour wrong", async (context) => {
    const { clock } = impatient();
    const { logger, said } = listener();
    const store = await makeS3Store(server, { prefix: "clock", clock, logger });
    context.after(() => store.close());
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() + 3_600_000 });
    await store.putText("a/b", "x", never);
    context.mock.timers.reset();
    assert.match(said.join("\n"), /RequestTimeTooSkewed.* This machine's clock and the server's differ/);
    assert.equal(await readStored(store, "a/b"), "x");
  });

  test("keeps what was put there before an upload that never came to an end, whose parts are removed a day later", async (context) => {
    await using proxy = await startTcpProxy({ port: server.port });
    const store = await makeS3Store(server, { endpoint: `http://${proxy.address}`, prefix: "unfinished" });
    const other = await makeS3Store(server, { prefix: "unfinished" });
    context.after(() => [store, other].forEach((each) => void each.close()));
    await other.putText("a/console.log", "before", never);
    const stopping = new AbortController();
    const { promise: sent, resolve: isSent } = Promise.withResolvers<void>();
    const putting = store.put(
      "a/console.log",
      async function* () {
        yield* blocks(24);
        // The process ends here, as far as the server sees it: nobody says that the upload is over.
        proxy.close();
        isSent();
        yield* blocks(8);
      },
      stopping.signal,
    );
    await sent;
    stopping.abort(new Error("killed"));
    await assert.rejects(putting, /killed/);
    assert.equal(await readStored(other, "a/console.log"), "before");
    assert.equal(await other.removeUnfinished(new Date(Date.now() - 24 * 3_600_000), never), 0);
    assert.equal(await other.removeUnfinished(new Date(Date.now() + 3_600_000), never), 1);
    assert.equal(await other.removeUnfinished(new Date(Date.now() + 3_600_000), never), 0);
    assert.equal(await readStored(other, "a/console.log"), "before");
  });

  test("gets no more than a few uploads at once, however many builds end together", async (context) => {
    let [running, most] = [0, 0];
    const intercept: Intercept = (incoming, response) => {
      if (incoming.method !== "PUT") return false;
      running += 1;
      most = Math.max(most, running);
      response.on("close", () => {
        running -= 1;
      });
      return false;
    };
    const store = await makeS3Store(server, { endpoint: await startInterceptor(server, intercept, context), prefix: "many" });
    context.after(() => store.close());
    const names = Array.from({ length: 40 }, (_, index) => `a/${index}.log`);
    await Promise.all(names.map((name) => store.put(name, () => chunks(name), never)));
    assert.ok(most <= 4, `${most} at once`);
    assert.equal((await listed(store)).length, 40);
  });

  test("is told what each file is, so that nothing of a test's is run from it", async (context) => {
    const store = await makeS3Store(server, { prefix: "types" });
    context.after(() => store.close());
    const seen = new Map<string, unknown>();
    const spy = await makeS3Store(server, {
      prefix: "types",
      endpoint: await startInterceptor(
        server,
        ({ method, url = "", headers }) => {
          if (method === "PUT")
            seen.set(
              url.split("?")[0]?.replace("/logs/types/", "") ?? "",
              ["content-type", "content-disposition", "cache-control"].map((name) => headers[name]),
            );
          return false;
        },
        context,
      ),
    });
    context.after(() => spy.close());
    await spy.putText("a/console.log", "<script>alert(1)</script>", never);
    await spy.createText("a/index.html", "not yet", never);
    await spy.putText("a/artifacts/index.html", "<script>alert(1)</script>", never);
    await spy.putText("a/artifacts/x.svg", "<svg onload='alert(1)'/>", never);
    assert.deepEqual(Object.fromEntries(seen), {
      "a/console.log": ["text/plain; charset=utf-8", "inline", undefined],
      "a/index.html": ["text/html; charset=utf-8", "inline", "no-cache"],
      "a/artifacts/index.html": ["application/octet-stream", "attachment", undefined],
      "a/artifacts/x.svg": ["application/octet-stream", "attachment", undefined],
    });
    const answer = await fetch(`${server.endpoint}/logs/types/a/artifacts/index.html`, { method: "HEAD" });
    assert.notEqual(answer.headers.get("content-type"), "text/html");
  });
});

describe("a bucket behind TLS", () => {
  let server: S3Server;
  before(async () => {
    server = await startS3Server({ tls: true });
  });
  after(() => server[Symbol.asyncDispose]());

  test("is trusted by its own authority, and not without it: then the setting is named at once", async (context) => {
    const { clock, pausesMs } = impatient();
    const trusted = await makeS3Store(server);
    const untrusted = await makeS3Store(server, { caFile: undefined, clock });
    context.after(() => [trusted, untrusted].forEach((each) => void each.close()));
    await trusted.putText("a/b", "x", never);
    assert.equal(await readStored(trusted, "a/b"), "x");
    await assert.rejects(untrusted.putText("a/b", "y", never), /authority of the server's certificate in logs\.caFile/);
    assert.deepEqual(pausesMs, []);
  });

  test("is reached through the proxy that the environment names, and directly where that says so", async (context) => {
    await using proxy = await startConnectProxy({ port: server.port });
    const [before, noProxy] = [process.env.HTTPS_PROXY, process.env.NO_PROXY];
    context.after(() => {
      for (const [name, value] of Object.entries({ HTTPS_PROXY: before, NO_PROXY: noProxy })) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    });
    process.env.HTTPS_PROXY = proxy.url;
    delete process.env.NO_PROXY;
    const proxied = await makeS3Store(server, { endpoint: "https://s3.example.org", prefix: "proxied" });
    context.after(() => proxied.close());
    await proxied.putText("a/b", "x", never);
    assert.deepEqual([...new Set(proxy.requests.map(({ target }) => target))], ["s3.example.org:443"]);
    process.env.NO_PROXY = "127.0.0.1";
    const direct = await makeS3Store(server, { prefix: "proxied" });
    context.after(() => direct.close());
    const tunnels = proxy.requests.length;
    assert.equal(await readStored(direct, "a/b"), "x");
    assert.equal(proxy.requests.length, tunnels);
  });
});
