import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { type KubeClient, type KubeClientOptions, loadKubeClient } from "../../../../src/kube/client/kube-client.ts";
import { isExpired, KubeError } from "../../../../src/kube/client/kube-error.ts";
import type { KubeCallReport } from "../../../../src/kube/client/kube-transport.ts";
import { CONFIG_MAPS, JOBS, PODS } from "../../../../src/kube/client/resource.ts";
import { type FakeKube, type FakeKubeOptions, startFakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { startPod } from "../../../support/fake-kube/pod-steps.ts";
import { expired } from "../../../support/fake-kube/status-error.ts";

interface Bench extends AsyncDisposable {
  readonly fake: FakeKube;
  readonly client: KubeClient;
}

async function makeBench(options: KubeClientOptions = {}, fakeOptions: FakeKubeOptions = {}): Promise<Bench> {
  const fake = await startFakeKube(fakeOptions);
  const client = await loadKubeClient({ kubeconfig: fake.kubeconfig, ...options });
  return {
    fake,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await fake.disconnected();
      await fake[Symbol.asyncDispose]();
    },
  };
}

const never = new AbortController().signal;
const fails =
  (code: string, more: Partial<KubeError> = {}) =>
  (error: unknown) => {
    assert.ok(error instanceof KubeError, String(error));
    assert.deepEqual({ code: error.code, ...pick(error, more) }, { code, ...more });
    return true;
  };
const pick = (error: KubeError, like: Partial<KubeError>) =>
  Object.fromEntries(Object.keys(like).map((key) => [key, error[key as keyof KubeError]]));

describe("the connections", () => {
  it("are kept: 100 requests one after another take one or two, 100 at once a few", async () => {
    await using plain = await makeBench();
    for (let index = 0; index < 100; index += 1) await plain.client.list(JOBS, "ci");
    assert.ok(plain.fake.connections.total <= 2, `${plain.fake.connections.total} one after another`);
    await Promise.all(Array.from({ length: 100 }, () => plain.client.list(JOBS, "ci")));
    assert.ok(plain.fake.connections.total <= 16, `${plain.fake.connections.total} over HTTP/1.1`);
    await using tls = await makeBench({}, { tls: true });
    await Promise.all(Array.from({ length: 100 }, () => tls.client.list(JOBS, "ci")));
    for (let index = 0; index < 100; index += 1) await tls.client.list(JOBS, "ci");
    assert.ok(tls.fake.connections.total <= 2, `${tls.fake.connections.total} over HTTP/2`);
  });

  it("are separate for requests, watches and logs, so that none starves another", async () => {
    await using bench = await makeBench({}, { tls: true });
    const { fake, client } = bench;
    fake.create(PODS, "ci", { metadata: { name: "p" }, spec: { containers: [{ name: "test", image: "x" }] } });
    startPod(fake, "ci", "p");
    const leaving = new AbortController();
    const { metadata } = await client.list(JOBS, "ci");
    const watch = client.watch(JOBS, "ci", { ...metadata, signal: leaving.signal })[Symbol.asyncIterator]();
    const waiting = assert.rejects(watch.next(), /left/);
    await fake.nextCall({ verb: "watch" });
    await client.podLog("ci", "p", { container: "test", follow: true, signal: leaving.signal });
    assert.equal(fake.connections.open, 3);
    leaving.abort(new Error("left"));
    await waiting;
  });
});

describe("a request that fails", () => {
  it("says when the server wants to be asked again", async () => {
    await using bench = await makeBench();
    bench.fake.misbehave({ verb: "list" }, { kind: "status", code: 429, retryAfterSeconds: 7 });
    await assert.rejects(bench.client.list(JOBS, "ci"), fails("TH_KUBE_BUSY", { status: 429, retryable: true, retryAfterMs: 7_000 }));
    bench.fake.misbehave({ verb: "list" }, { kind: "status", code: 500 });
    await assert.rejects(bench.client.list(JOBS, "ci"), fails("TH_KUBE_SERVER", { status: 500, retryable: true }));
    bench.fake.misbehave({ verb: "list" }, { kind: "status", code: 403, reason: "Forbidden" });
    await assert.rejects(bench.client.list(JOBS, "ci"), fails("TH_KUBE_FORBIDDEN", { status: 403, retryable: false }));
  });

  it("is retryable when the connection breaks before, in or after it", async () => {
    await using bench = await makeBench();
    const { fake, client } = bench;
    for (const effect of [{ kind: "drop" }, { kind: "truncate" }, { kind: "drop", afterwards: true }] as const) {
      fake.misbehave({ verb: "create" }, effect);
      const job = { metadata: { name: `c-${fake.calls.length}` } };
      await assert.rejects(client.create(CONFIG_MAPS, "ci", job), fails("TH_KUBE_NETWORK", { status: 0, retryable: true }));
    }
    assert.equal(fake.list(CONFIG_MAPS, "ci").length, 2);
    await assert.rejects(
      (await loadKubeClient({ kubeconfig: await unusedKubeconfig(fake) })).list(JOBS, "ci"),
      (error) => fails("TH_KUBE_NETWORK", { retryable: true })(error) && /127\.0\.0\.1:1.*ECONNREFUSED/.test((error as Error).message),
    );
  });

  it("gives up at its deadline, whether answer or body are late, and the next one takes a new connection", async () => {
    for (const tls of [false, true]) {
      await using bench = await makeBench({ deadlineMs: 800 }, { tls });
      const { fake, client } = bench;
      fake.misbehave({ verb: "get" }, { kind: "hang" });
      await assert.rejects(client.get(CONFIG_MAPS, "ci", "a"), fails("TH_KUBE_TIMEOUT", { status: 0, retryable: true }));
      const before = fake.connections.total;
      await client.list(JOBS, "ci");
      assert.equal(fake.connections.total, before + 1);
    }
  });

  it("rejects with the caller's reason when that aborts it, before and during", async () => {
    await using bench = await makeBench();
    const { fake, client } = bench;
    const reason = new Error("not wanted any more");
    await assert.rejects(client.get(JOBS, "ci", "a", { signal: AbortSignal.abort(reason) }), reason);
    fake.misbehave({ verb: "get" }, { kind: "hang" });
    const aborting = new AbortController();
    const arrived = fake.nextCall({ verb: "get" }, "arrived");
    const rejected = assert.rejects(client.get(JOBS, "ci", "a", { signal: aborting.signal }), reason);
    await arrived;
    aborting.abort(reason);
    await rejected;
  });

  it("is TH_KUBE_PROTOCOL when the answer is nonsense", async () => {
    await using bench = await makeBench();
    for (const text of ["<html>", "", "null", "[1]", '"x"', '{"items": {}}']) {
      bench.fake.misbehave({ verb: "list" }, { kind: "garbage", text });
      await assert.rejects(bench.client.list(JOBS, "ci"), fails("TH_KUBE_PROTOCOL", { retryable: true }), text);
    }
  });

  it("breaks off when the client is closed, and so does every later one", async () => {
    await using bench = await makeBench();
    bench.fake.misbehave({ verb: "get" }, { kind: "hang" });
    const arrived = bench.fake.nextCall({ verb: "get" }, "arrived");
    const rejected = assert.rejects(bench.client.get(JOBS, "ci", "a"), fails("TH_KUBE_CLOSED"));
    await arrived;
    await bench.client.close();
    await rejected;
    await assert.rejects(bench.client.get(JOBS, "ci", "a"), fails("TH_KUBE_CLOSED"));
  });

  it("addresses nothing else than what its name says", async () => {
    await using bench = await makeBench();
    for (const name of ["", ".", ".."]) await assert.rejects(bench.client.get(JOBS, "ci", name), { code: "TH_KUBE_NAME" });
    for (const name of ["../../secrets/x", "x?watch=true", "a/status", "a%2fb"]) {
      await assert.rejects(bench.client.get(JOBS, "ci", name), fails("TH_KUBE_NOT_FOUND"));
      assert.equal(bench.fake.calls.at(-1)?.name, name);
    }
  });
});

describe("beside the answers", () => {
  it("every call is reported with verb, resource as RBAC names it, code and time", async () => {
    const reports: KubeCallReport[] = [];
    await using bench = await makeBench({ onCall: (report) => reports.push(report) });
    const { fake, client } = bench;
    await client.create(CONFIG_MAPS, "ci", { metadata: { name: "a" } });
    await client.mergePatch(CONFIG_MAPS, "ci", "a", { data: {} });
    await client.get(CONFIG_MAPS, "ci", "none").catch(() => {});
    await client.delete(CONFIG_MAPS, "ci", "a", { propagationPolicy: "Background" });
    await client.list(JOBS, undefined);
    await client.podLog("ci", "none", { container: "c", signal: never }).catch(() => {});
    fake.misbehave({ verb: "get" }, { kind: "drop" });
    await client.get(JOBS, "ci", "none").catch(() => {});
    assert.deepEqual(
      reports.map(({ verb, resource, code }) => `${verb} ${resource} ${code}`),
      [
        ...["create configmaps 201", "patch configmaps 200", "get configmaps 404", "delete configmaps 200", "list jobs 200"],
        ...["get pods/log 404", "get jobs 0"],
      ],
    );
    assert.ok(reports.every(({ ms }) => ms >= 0 && ms < 10_000));
  });

  it("the server's warnings are handed on", async () => {
    await using bench = await makeBench();
    await using server = await startServer('299 - "unknown field \\"spec.imge\\"", 299 - "second, with a comma"');
    const client = await loadKubeClient({ kubeconfig: await writeServer(bench.fake, server.url) });
    const warnings: string[] = [];
    await client.create(JOBS, "ci", {}, { dryRun: true, onWarning: (text) => warnings.push(text) });
    assert.deepEqual(warnings, ['unknown field "spec.imge"', "second, with a comma"]);
    await client.close();
  });
});

describe("a watch", () => {
  async function watchJobs({ fake, client }: Bench, options: { idleMs?: number; signal?: AbortSignal } = {}) {
    const opened = fake.nextCall({ verb: "watch" });
    const query = { resourceVersion: String(fake.version), signal: never, ...options };
    const events = client.watch(CONFIG_MAPS, "ci", query)[Symbol.asyncIterator]();
    const first = events.next();
    first.catch(() => {});
    await opened;
    return { events, first };
  }

  it("closes its stream when it is left", async () => {
    for (const tls of [false, true]) {
      await using bench = await makeBench({}, { tls });
      const { first, events } = await watchJobs(bench);
      bench.fake.create(CONFIG_MAPS, "ci", { metadata: { name: "a" } });
      assert.equal((await first).value.object.metadata.name, "a");
      const closed = bench.fake.watches.closed();
      await events.return?.();
      await closed;
    }
  });

  it("gives up when it is silent for too long; bookmarks count as speech", async () => {
    await using bench = await makeBench();
    const { first } = await watchJobs(bench, { idleMs: 200 });
    bench.fake.watches.bookmark();
    assert.equal((await first).value.type, "BOOKMARK");
    const silent = await watchJobs(bench, { idleMs: 50 });
    await assert.rejects(silent.first, fails("TH_KUBE_TIMEOUT", { retryable: true }));
  });

  it("throws what an ERROR event says", async () => {
    await using bench = await makeBench();
    const { first } = await watchJobs(bench);
    bench.fake.watches.fail(expired());
    await assert.rejects(first, (error) => isExpired(error) && fails("TH_KUBE_EXPIRED", { status: 410 })(error));
  });

  it("throws for lines that are no events", async () => {
    await using bench = await makeBench();
    for (const line of ["", "{}", "null", '{"type":"ADDED","object":{}}', '{"type":"OTHER","object":{"metadata":{}}}', "{"]) {
      const { first } = await watchJobs(bench);
      bench.fake.watches.write(line);
      await assert.rejects(first, fails("TH_KUBE_PROTOCOL", { retryable: true }), line);
    }
  });

  it("throws when its connection breaks, and ends quietly when the server ends it", async () => {
    for (const tls of [false, true]) {
      await using bench = await makeBench({}, { tls });
      const cut = await watchJobs(bench);
      bench.fake.watches.cut();
      await assert.rejects(cut.first, fails("TH_KUBE_NETWORK", { retryable: true }));
      const ended = await watchJobs(bench);
      bench.fake.watches.end();
      assert.equal((await ended.first).value.type, "BOOKMARK");
      assert.equal((await ended.events.next()).done, true);
    }
  });
});

describe("a pod's log", () => {
  async function makeLog(options: FakeKubeOptions = {}) {
    const bench = await makeBench({ deadlineMs: 1_000 }, options);
    bench.fake.create(PODS, "ci", { metadata: { name: "p" }, spec: { containers: [{ name: "test", image: "x" }] } });
    startPod(bench.fake, "ci", "p");
    return bench;
  }

  it("comes whole, or from a time, or its tail, or its first bytes", async () => {
    await using bench = await makeLog();
    bench.fake.logs.append("ci", "p", "test", ["one", "two"], new Date("2026-01-01T00:00:00Z"));
    bench.fake.logs.append("ci", "p", "test", ["three"], new Date("2026-01-01T00:00:05Z"));
    const read = async (options: object) =>
      Buffer.concat(
        await Array.fromAsync(await bench.client.podLog("ci", "p", { container: "test", signal: never, ...options })),
      ).toString();
    assert.equal(await read({}), "one\ntwo\nthree\n");
    assert.equal(await read({ tailLines: 1 }), "three\n");
    assert.equal(await read({ limitBytes: 5 }), "one\nt");
    assert.equal(await read({ sinceTime: "2026-01-01T00:00:03Z", timestamps: true }), "2026-01-01T00:00:05.000000000Z three\n");
  });

  it("may be opened long before it is read", async () => {
    await using bench = await makeLog();
    bench.fake.logs.append("ci", "p", "test", ["one"]);
    const stream = await bench.client.podLog("ci", "p", { container: "test", follow: true, signal: never });
    // Any request's deadline passes meanwhile.
    bench.fake.misbehave({ verb: "list" }, { kind: "hang" });
    await assert.rejects(bench.client.list(JOBS, "ci"), fails("TH_KUBE_TIMEOUT"));
    bench.fake.logs.append("ci", "p", "test", ["two"]);
    bench.fake.logs.end("ci", "p", "test");
    assert.equal(Buffer.concat(await Array.fromAsync(stream)).toString(), "one\ntwo\n");
  });

  it("is followed to the container's end, through silence longer than a request's deadline", async () => {
    await using bench = await makeLog({ tls: true });
    const lines = (await bench.client.podLog("ci", "p", { container: "test", follow: true, signal: never }))[Symbol.asyncIterator]();
    bench.fake.logs.append("ci", "p", "test", ["one"]);
    assert.equal(String((await lines.next()).value), "one\n");
    const next = lines.next();
    // Any request's deadline passes meanwhile; the follower must not notice.
    bench.fake.misbehave({ verb: "list" }, { kind: "hang" });
    await assert.rejects(bench.client.list(JOBS, "ci"), fails("TH_KUBE_TIMEOUT"));
    bench.fake.logs.append("ci", "p", "test", ["two"]);
    bench.fake.logs.end("ci", "p", "test");
    assert.equal(String((await next).value), "two\n");
    assert.equal((await lines.next()).done, true);
  });

  it("throws when the connection breaks or is silent for too long while it is followed, and closes its stream when left or aborted", async () => {
    await using bench = await makeLog();
    const follow = (signal: AbortSignal) => bench.client.podLog("ci", "p", { container: "test", follow: true, signal });
    const cut = (await follow(never))[Symbol.asyncIterator]();
    bench.fake.logs.cut();
    await assert.rejects(cut.next(), fails("TH_KUBE_NETWORK", { retryable: true }));
    const silent = await bench.client.podLog("ci", "p", { container: "test", follow: true, idleMs: 50, signal: never });
    await assert.rejects(silent[Symbol.asyncIterator]().next(), fails("TH_KUBE_TIMEOUT", { retryable: true }));
    const aborting = new AbortController();
    const aborted = (await follow(aborting.signal))[Symbol.asyncIterator]();
    const reason = new Error("enough");
    const rejected = assert.rejects(aborted.next(), reason);
    aborting.abort(reason);
    await rejected;
  });
});

describe("credentials", () => {
  it("that changed in the kubeconfig are taken when the server refuses the old ones, without a failure", async () => {
    await using bench = await makeBench();
    await bench.client.list(JOBS, "ci");
    bench.fake.acceptTokens(["token-2"]);
    await bench.fake.writeKubeconfig({ token: "token-2" });
    await Promise.all([bench.client.list(JOBS, "ci")]);
    assert.equal(bench.fake.calls.at(-1)?.headers.authorization, "Bearer token-2");
  });

  it("that the server refuses for good are said with their place, without a storm of reloads", async () => {
    await using bench = await makeBench();
    bench.fake.acceptTokens([]);
    for (let index = 0; index < 5; index += 1)
      await assert.rejects(bench.client.list(JOBS, "ci"), fails("TH_KUBE_UNAUTHORIZED", { status: 401 }));
    assert.equal(bench.fake.calls.length, 6);
  });

  it("in a token file are read from there, and again once they are refused", async () => {
    await using bench = await makeBench();
    const tokenFile = join(bench.fake.directory, "token");
    await writeFile(tokenFile, "file-1\n");
    await bench.fake.writeKubeconfig({ user: { tokenFile: "token" } });
    const client = await loadKubeClient({ kubeconfig: bench.fake.kubeconfig });
    bench.fake.acceptTokens(["file-1"]);
    await client.list(JOBS, "ci");
    await writeFile(tokenFile, "file-2\n");
    bench.fake.acceptTokens(["file-2"]);
    await client.list(JOBS, "ci");
    await client.close();
  });

  it("of a plugin are asked for once for many requests, and again when they ran out", async () => {
    await using bench = await makeBench();
    const log = join(bench.fake.directory, "plugin.log");
    const plugin = join(bench.fake.directory, "plugin");
    const answer = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin","expirationTimestamp":"'$1'"}}`;
    await writeFile(plugin, `#!/bin/sh\necho run >> ${log}\necho '${answer}'\n`);
    await chmod(plugin, 0o755);
    bench.fake.acceptTokens(["from-plugin"]);
    const runs = async () => (await readFile(log, "utf8")).split("\n").length - 1;
    for (const [expiry, expected] of [
      ["2999-01-01T00:00:00Z", 1],
      ["2020-01-01T00:00:00Z", 3],
    ] as const) {
      const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, args: [expiry] };
      await bench.fake.writeKubeconfig({ user: { exec } });
      const client = await loadKubeClient({ kubeconfig: bench.fake.kubeconfig });
      await Promise.all(Array.from({ length: 20 }, () => client.list(JOBS, "ci")));
      await client.list(JOBS, "ci");
      assert.equal(await runs(), expected);
      await client.close();
    }
  });

  it("that can't be had are said with the user's name and what went wrong", async () => {
    await using bench = await makeBench();
    await bench.fake.writeKubeconfig({ user: { exec: { command: join(bench.fake.directory, "no-such-plugin") } } });
    const client = await loadKubeClient({ kubeconfig: bench.fake.kubeconfig });
    await assert.rejects(client.list(JOBS, "ci"), (error) => {
      assert.match((error as Error).message, /user "tester".*no-such-plugin ENOENT/);
      return fails("TH_KUBE_CREDENTIALS", { retryable: true })(error);
    });
    await client.close();
  });
});

describe("the server's certificate", () => {
  it("must be signed by the kubeconfig's authority", async () => {
    await using bench = await makeBench({}, { tls: true });
    await bench.client.list(JOBS, "ci");
    const { fake } = bench;
    const old = join(fake.directory, "old-ca.crt");
    await writeFile(old, await readFile(join(fake.directory, "ca.crt")));
    await fake.rotateCertificates();
    await fake.writeKubeconfig({ caFile: old });
    const wrong = await loadKubeClient({ kubeconfig: fake.kubeconfig });
    const calls = fake.calls.length;
    await assert.rejects(wrong.list(JOBS, "ci"), (error) => {
      assert.match((error as Error).message, /certificate of the API server https:.*certificate-authority-data/);
      return fails("TH_KUBE_TLS", { status: 0, retryable: true })(error);
    });
    assert.equal(fake.calls.length, calls);
    await wrong.close();
  });

  it("may change with its authority: the kubeconfig is read anew", async () => {
    await using bench = await makeBench({}, { tls: true });
    const { fake, client } = bench;
    await client.list(JOBS, "ci");
    await fake.rotateCertificates();
    await fake.writeKubeconfig();
    fake.cutConnections();
    await assert.rejects(client.list(JOBS, "ci"), fails("TH_KUBE_TLS"));
    await client.list(JOBS, "ci");
  });
});

describe("a login in the URL of the API server", () => {
  it("stands in no message, of the client as of the kubeconfig's reader", async () => {
    await using bench = await makeBench();
    const client = await loadKubeClient({ kubeconfig: await writeServer(bench.fake, "http://someone:s3cr3t@127.0.0.1:1/kube") });
    await assert.rejects(client.list(JOBS, "ci"), (error) => {
      assert.match((error as Error).message, /the connection to the API server http:\/\/127\.0\.0\.1:1\/kube \(context fake/);
      assert.ok(!inspect(error, { depth: 20 }).includes("s3cr3t"));
      return true;
    });
    await client.close();
    const wrong = { kubeconfig: await writeServer(bench.fake, "ftp://someone:s3cr3t@127.0.0.1") };
    await assert.rejects(loadKubeClient(wrong), (error) => {
      assert.match((error as Error).message, /is ftp:\/\/127\.0\.0\.1; it must be an http or https URL$/);
      return !inspect(error, { depth: 20 }).includes("s3cr3t");
    });
  });
});

async function writeServer(fake: FakeKube, server: string): Promise<string> {
  const path = join(fake.directory, "other-kubeconfig");
  await writeFile(path, (await readFile(fake.kubeconfig, "utf8")).replace(fake.url, server));
  return path;
}

/** Nothing listens on port 1. */
const unusedKubeconfig = (fake: FakeKube) => writeServer(fake, "http://127.0.0.1:1");

async function startServer(warning: string): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((_, response) => response.writeHead(201, { warning }).end("{}"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
