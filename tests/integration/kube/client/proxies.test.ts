import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { inspect } from "node:util";
import { type KubeClient, type KubeClientOptions, loadKubeClient } from "../../../../src/kube/client/kube-client.ts";
import { KubeError } from "../../../../src/kube/client/kube-error.ts";
import { CONFIG_MAPS, JOBS, PODS } from "../../../../src/kube/client/resource.ts";
import { makeListWatch } from "../../../../src/kube/watch/list-watch.ts";
import { InputError } from "../../../../src/runtime/errors.ts";
import { type FakeKube, startFakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { startPod } from "../../../support/fake-kube/pod-steps.ts";
import { type ConnectProxy, startConnectProxy } from "../../../support/proxies/connect-proxy.ts";
import { startSocksProxy } from "../../../support/proxies/socks-proxy.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

/** A name that the proxy alone can resolve: who gets through has gone through it. */
const SERVER = "https://kube.example:6443";
const LOGIN = "someone:s3cr3t";

interface Bench extends AsyncDisposable {
  readonly fake: FakeKube;
  readonly proxy: ConnectProxy;
  /** A client with this much of a cluster entry beside server and authority. */
  load(cluster?: { server?: string; "proxy-url"?: string }, options?: KubeClientOptions): Promise<KubeClient>;
}

async function makeBench(proxyOptions: { login?: string } = {}): Promise<Bench> {
  const fake = await startFakeKube({ tls: true });
  const proxy = await startConnectProxy({ port: Number(new URL(fake.url).port), ...proxyOptions });
  const clients: KubeClient[] = [];
  return {
    fake,
    proxy,
    async load(cluster = {}, options = {}) {
      const kubeconfig = JSON.parse(await readFile(fake.kubeconfig, "utf8"));
      Object.assign(kubeconfig.clusters[0].cluster, { server: SERVER, ...cluster });
      const path = join(fake.directory, `kubeconfig-${clients.length}`);
      await writeFile(path, JSON.stringify(kubeconfig));
      const client = await loadKubeClient({ kubeconfig: path, ...options });
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.close();
      await proxy[Symbol.asyncDispose]();
      await fake.disconnected();
      await fake[Symbol.asyncDispose]();
    },
  };
}

const withLogin = (url: string, login: string) => url.replace("//", `//${login}@`);

function isUnreached(error: unknown): boolean {
  assert.ok(error instanceof KubeError, String(error));
  assert.deepEqual([error.code, error.retryable], ["TH_KUBE_NETWORK", true]);
  return true;
}

const variables = ["HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"];
const before = Object.fromEntries(variables.map((name) => [name, process.env[name]]));
afterEach(() => {
  for (const name of variables) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
});

describe("an API server behind the kubeconfig's proxy-url", () => {
  it("is asked, watched and followed through it, over connections that are kept", async () => {
    await using bench = await makeBench();
    const { fake, proxy } = bench;
    const client = await bench.load({ "proxy-url": proxy.url });
    for (let index = 0; index < 30; index += 1) await client.list(JOBS, "ci");
    await Promise.all(Array.from({ length: 30 }, () => client.list(JOBS, "ci")));
    assert.ok(proxy.requests.length <= 2, `${proxy.requests.length} tunnels`);
    const { metadata } = await client.list(CONFIG_MAPS, "ci");
    const watching = fake.nextCall({ verb: "watch" });
    const events = client.watch<{ metadata: { name: string } }>(CONFIG_MAPS, "ci", {
      resourceVersion: metadata.resourceVersion,
      signal: AbortSignal.timeout(10_000),
    });
    const first = events[Symbol.asyncIterator]();
    const event = first.next();
    await watching;
    fake.create(CONFIG_MAPS, "ci", { metadata: { name: "a" } });
    assert.equal((await event).value?.object.metadata.name, "a");
    await first.return?.();
    fake.create(PODS, "ci", { metadata: { name: "p" }, spec: { containers: [{ name: "test", image: "i" }] } });
    startPod(fake, "ci", "p");
    fake.logs.append("ci", "p", "test", ["through the proxy"]);
    const log = (await client.podLog("ci", "p", { container: "test", follow: true, signal: AbortSignal.timeout(10_000) }))[
      Symbol.asyncIterator
    ]();
    assert.match(String((await log.next()).value), /through the proxy/);
    await log.return?.();
    assert.deepEqual(new Set(proxy.requests.map(({ target }) => target)), new Set(["kube.example:6443"]));
    assert.ok(proxy.requests.length <= 4, "requests, watches and logs have connections of their own");
  });

  it("is followed again after the proxy has broken every tunnel", async () => {
    await using bench = await makeBench();
    const { fake, proxy } = bench;
    const client = await bench.load({ "proxy-url": proxy.url });
    const seen = new Map<string, () => void>();
    const until = (name: string) => new Promise<void>((resolve) => seen.set(`ci/${name}`, resolve));
    const watch = makeListWatch({
      ...{ client, resource: CONFIG_MAPS, namespaces: ["ci"], logger: silentLogger, times: { backoffBaseMs: 5, backoffMaxMs: 20 } },
      onChange: (key) => seen.get(key)?.(),
    });
    const watching = fake.nextCall({ verb: "watch" });
    await watch.start();
    await watching;
    for (const name of ["a", "b"]) {
      const shown = until(name);
      proxy.cut();
      fake.create(CONFIG_MAPS, "ci", { metadata: { name } });
      await shown;
    }
    await watch.stop();
  });

  it("gets the proxy's login, which stands in no message", async () => {
    await using bench = await makeBench({ login: LOGIN });
    const { proxy } = bench;
    const client = await bench.load({ "proxy-url": withLogin(proxy.url, LOGIN) });
    await client.list(JOBS, "ci");
    assert.equal(proxy.requests[0]?.authorization, `Basic ${Buffer.from(LOGIN).toString("base64")}`);
    const stranger = await bench.load({ "proxy-url": withLogin(proxy.url, "someone:wr0ng") });
    await assert.rejects(stranger.list(JOBS, "ci"), (error) => {
      assert.match((error as Error).message, new RegExp(`through the proxy ${proxy.url}\\).*407`));
      const whole = inspect(error, { depth: 20, showHidden: true });
      for (const secret of ["wr0ng", Buffer.from("someone:wr0ng").toString("base64")]) assert.ok(!whole.includes(secret), secret);
      return isUnreached(error);
    });
  });

  it("is away as long as the proxy is, or says nothing", async () => {
    await using bench = await makeBench();
    const { proxy } = bench;
    const unreached = await bench.load({ "proxy-url": "http://127.0.0.1:1" });
    await assert.rejects(unreached.list(JOBS, "ci"), isUnreached);
    proxy.hang();
    const client = await bench.load({ "proxy-url": proxy.url }, { deadlineMs: 300 });
    await assert.rejects(client.list(JOBS, "ci"), { code: "TH_KUBE_TIMEOUT" });
  });

  it("is asked and watched through one that speaks SOCKS 5, over connections that are kept", async () => {
    await using bench = await makeBench();
    const { fake } = bench;
    await using proxy = await startSocksProxy(Number(new URL(fake.url).port));
    const client = await bench.load({ "proxy-url": proxy.url });
    for (let index = 0; index < 30; index += 1) await client.list(JOBS, "ci");
    const { metadata } = await client.list(CONFIG_MAPS, "ci");
    const options = { resourceVersion: metadata.resourceVersion, signal: AbortSignal.timeout(10_000) };
    const watch = client.watch<{ metadata: { name: string } }>(CONFIG_MAPS, "ci", options)[Symbol.asyncIterator]();
    const watching = fake.nextCall({ verb: "watch" });
    const event = watch.next();
    await watching;
    fake.create(CONFIG_MAPS, "ci", { metadata: { name: "a" } });
    assert.equal((await event).value?.object.metadata.name, "a");
    await watch.return?.();
    assert.deepEqual(new Set(proxy.targets), new Set(["kube.example:6443"]));
    assert.ok(proxy.targets.length <= 3, `${proxy.targets.length} connections`);
    await client.close();
  });

  it("has one of a kind that can be used, or is an input error without the login", async () => {
    await using bench = await makeBench();
    for (const proxy of ["socks4://someone:s3cr3t@p:1", "someone:s3cr3t@p", "http://some one:s3cr3t@"]) {
      await assert.rejects(bench.load({ "proxy-url": proxy }), (error) => {
        assert.ok(error instanceof InputError, String(error));
        assert.match(error.message, /^the proxy-url of cluster "fake" of .*; http, https and socks5 proxies can be used$/);
        assert.ok(!inspect(error, { depth: 20 }).includes("s3cr3t"), error.message);
        return true;
      });
    }
  });
});

describe("an API server of a kubeconfig without proxy-url", () => {
  it("is reached through the proxy of the environment", async () => {
    for (const name of ["HTTPS_PROXY", "https_proxy"]) {
      await using bench = await makeBench();
      process.env[name] = bench.proxy.url;
      const client = await bench.load();
      await client.list(JOBS, "ci");
      assert.equal(bench.proxy.requests.length, 1);
      delete process.env[name];
    }
  });

  it("is reached directly where NO_PROXY names it, or on this machine", async () => {
    await using bench = await makeBench();
    process.env.HTTPS_PROXY = bench.proxy.url;
    const onThisMachine = await bench.load({ server: bench.fake.url });
    await onThisMachine.list(JOBS, "ci");
    process.env.NO_PROXY = ".other.example,kube.example";
    const named = await bench.load();
    await assert.rejects(named.list(JOBS, "ci"), isUnreached);
    assert.deepEqual(bench.proxy.requests, []);
  });

  it("is reached through proxy-url where both name one, whatever NO_PROXY says", async () => {
    await using bench = await makeBench();
    process.env.HTTPS_PROXY = "http://127.0.0.1:1";
    process.env.NO_PROXY = "*";
    const client = await bench.load({ "proxy-url": bench.proxy.url });
    await client.list(JOBS, "ci");
    assert.equal(bench.proxy.requests.length, 1);
  });
});
