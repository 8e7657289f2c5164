import assert from "node:assert/strict";
import { chmod, copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { makeCertificates } from "../../../../deploy/local/certificates.ts";
import type { KubeObject } from "../../../../src/core/kubernetes/objects.ts";
import { type KubeClient, loadKubeClient } from "../../../../src/kube/client/kube-client.ts";
import { KubeError } from "../../../../src/kube/client/kube-error.ts";
import { CONFIG_MAPS, JOBS } from "../../../../src/kube/client/resource.ts";
import { type FakeKube, startFakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { StatusError } from "../../../support/fake-kube/status-error.ts";
import { makeSkippingClock, type SkippingClock } from "../../../support/skipping-clock.ts";
import { makeHarness } from "../watch/list-watch-harness.ts";

const hasCode = (code: string) => (error: unknown) => error instanceof KubeError && error.code === code;

/** As a kubelet does: what reads the file sees the old text or the new one. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

interface TokenBench extends AsyncDisposable {
  readonly fake: FakeKube;
  readonly client: KubeClient;
  readonly clock: SkippingClock;
  /** The kubelet puts another token in the place of the one that the client reads. */
  writeToken(token: string): Promise<void>;
}

/** A client whose token lies in a file, as a pod's does; the first one is let in. */
async function startTokenBench(): Promise<TokenBench> {
  const fake = await startFakeKube();
  const clock = makeSkippingClock();
  const writeToken = (token: string) => replace(join(fake.directory, "token"), token);
  await writeToken("first");
  await fake.writeKubeconfig({ user: { tokenFile: "token" } });
  fake.acceptTokens(["first"]);
  const client = await loadKubeClient({ kubeconfig: fake.kubeconfig, clock });
  return {
    ...{ fake, client, clock, writeToken },
    async [Symbol.asyncDispose]() {
      await client.close();
      await fake.disconnected();
      await fake[Symbol.asyncDispose]();
    },
  };
}

describe("a token file", () => {
  it("that is replaced under many requests at once fails none of them", async () => {
    await using bench = await startTokenBench();
    const { fake, client, writeToken } = bench;
    await client.list(JOBS, "ci");
    await writeToken("second");
    fake.acceptTokens(["second"]);
    await Promise.all(Array.from({ length: 20 }, () => client.list(JOBS, "ci")));
    const before = fake.calls.length;
    await client.list(JOBS, "ci");
    assert.equal(fake.calls.length, before + 1, "the old token is forgotten");
  });

  it("is replaced for watches as well", async () => {
    await using bench = await startTokenBench();
    const { fake, client, writeToken } = bench;
    const { metadata } = await client.list(CONFIG_MAPS, "ci");
    await writeToken("second");
    fake.acceptTokens(["second"]);
    fake.create(CONFIG_MAPS, "ci", { metadata: { name: "a" } });
    const { signal } = new AbortController();
    for await (const { object } of client.watch<{ metadata: { name: string } }>(CONFIG_MAPS, "ci", { ...metadata, signal })) {
      assert.equal(object.metadata.name, "a");
      break;
    }
  });

  it("that is replaced some time after its token was refused is read seconds later", async () => {
    await using bench = await startTokenBench();
    const { fake, client, clock, writeToken } = bench;
    fake.acceptTokens(["second"]);
    await assert.rejects(client.list(JOBS, "ci"), hasCode("TH_KUBE_UNAUTHORIZED"));
    await writeToken("second");
    clock.skip(5_000);
    await client.list(JOBS, "ci");
  });

  it("that is not there for a moment is trouble that passes", async () => {
    await using bench = await startTokenBench();
    const { fake, client, writeToken } = bench;
    await rm(join(fake.directory, "token"));
    await assert.rejects(client.list(JOBS, "ci"), (error) => hasCode("TH_KUBE_CREDENTIALS")(error) && (error as KubeError).retryable);
    await writeToken("first");
    await client.list(JOBS, "ci");
  });

  it("that is replaced never stops a list-watch, nor does a time in which the token is refused", async () => {
    await using bench = await makeHarness();
    const { fake, listWatch } = bench;
    await listWatch.start();
    await listWatch.synced();
    fake.acceptTokens(["token-2"]);
    fake.watches.cut("configmaps");
    await fake.nextCall({ verb: "watch" });
    bench.put("a");
    await fake.writeKubeconfig({ token: "token-2" });
    await bench.until("a", (object) => object !== undefined);
  });
});

describe("a plugin's token", () => {
  it("that is refused before its time is asked for anew, once for many requests, which all go through", async () => {
    await using bench = await startTokenBench();
    const { fake } = bench;
    const plugin = join(fake.directory, "plugin");
    const status = `{"token":"'$(cat ${fake.directory}/token)'","expirationTimestamp":"2999-01-01T00:00:00Z"}`;
    const answer = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":${status}}`;
    await writeFile(plugin, `#!/bin/sh\necho run >> ${plugin}.log\necho '${answer}'\n`);
    await chmod(plugin, 0o755);
    await fake.writeKubeconfig({ user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: plugin } } });
    const client = await loadKubeClient({ kubeconfig: fake.kubeconfig });
    await client.list(JOBS, "ci");
    await bench.writeToken("second");
    fake.acceptTokens(["second"]);
    await Promise.all(Array.from({ length: 20 }, () => client.list(JOBS, "ci")));
    assert.equal(await readFile(`${plugin}.log`, "utf8"), "run\nrun\n");
    await client.close();
  });
});

const SERVER = { subject: "/CN=server", alternativeNames: ["IP:127.0.0.1"] };
const REQUESTS = [
  { file: "server-1", ...SERVER },
  { file: "server-2", ...SERVER },
  { file: "user-1", subject: "/CN=user-1" },
  { file: "user-2", subject: "/CN=user-2" },
];

interface CertificateBench extends AsyncDisposable {
  readonly client: KubeClient;
  /** Of certificates of the authority `ca.crt`: `server-1`, `server-2`, `user-1`, `user-2`; the kubeconfig names `user.crt`, `user.key`, `trusted.crt`. */
  path(file: string): string;
  /** Names that are let in from now on. */
  accept(user: string): void;
  /** What new connections meet; those that are open break. */
  serve(server: string): Promise<void>;
  copy(from: string, to: string): Promise<void>;
}

/** HTTP/2 over TLS; whatever is asked for is named as the client's certificate names its user. */
async function startCertificateBench(): Promise<CertificateBench> {
  const directory = await mkdtemp(join(tmpdir(), "rotated-"));
  const path = (file: string) => join(directory, file);
  await makeCertificates(directory, REQUESTS);
  let accepted = "user-1";
  const sessions = new Set<ServerHttp2Session>();
  const readPair = async (file: string) => {
    const [cert, key, ca] = await Promise.all([`${file}.crt`, `${file}.key`, "ca.crt"].map((each) => readFile(path(each))));
    return { cert: cert as Buffer, key: key as Buffer, ca: ca as Buffer };
  };
  const tls = { requestCert: true, rejectUnauthorized: false };
  const server = createSecureServer(
    { ...(await readPair("server-1")), ...tls },
    (request: Http2ServerRequest, response: Http2ServerResponse) => {
      const { socket } = request.stream.session as ServerHttp2Session;
      const name = String((socket as TLSSocket).getPeerCertificate().subject?.CN);
      if (name === accepted) response.end(JSON.stringify({ metadata: { name } }));
      else response.writeHead(401).end(JSON.stringify(new StatusError(401, "Unauthorized", "Unauthorized").toStatus()));
    },
  );
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session)).on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const copy = (from: string, to: string) => copyFile(path(from), path(to));
  await Promise.all([copy("user-1.crt", "user.crt"), copy("user-1.key", "user.key"), copy("ca.crt", "trusted.crt")]);
  const cluster = { server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, "certificate-authority": "trusted.crt" };
  const kubeconfig = {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "x", clusters: [{ name: "x", cluster }] },
    users: [{ name: "x", user: { "client-certificate": "user.crt", "client-key": "user.key" } }],
    contexts: [{ name: "x", context: { cluster: "x", user: "x" } }],
  };
  await writeFile(path("kubeconfig"), JSON.stringify(kubeconfig));
  const client = await loadKubeClient({ kubeconfig: path("kubeconfig") });
  const cut = () => {
    for (const session of sessions) session.destroy();
  };
  return {
    ...{ client, path, copy },
    accept(user) {
      accepted = user;
    },
    async serve(file) {
      server.setSecureContext({ ...(await readPair(file)), ...tls });
      cut();
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The user that the certificate bench takes the client for. */
async function readUser(client: KubeClient): Promise<string> {
  return (await client.get<KubeObject>(JOBS, "ci", "any")).metadata.name;
}

/** Connections that the server has broken may still be met once. */
async function untilAnswered(client: KubeClient): Promise<string> {
  for (;;) {
    try {
      return await readUser(client);
    } catch (error) {
      if (!hasCode("TH_KUBE_NETWORK")(error)) throw error;
    }
  }
}

describe("a plugin that hangs", () => {
  it("is killed, its requests fail as trouble that passes, and the next one runs it again", async () => {
    await using bench = await startTokenBench();
    const { fake } = bench;
    const plugin = join(fake.directory, "plugin");
    const answer = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"first"}}`;
    await writeFile(plugin, `#!/bin/sh\ntest -e ${plugin}.ran || { touch ${plugin}.ran; exec sleep 600; }\necho '${answer}'\n`);
    await chmod(plugin, 0o755);
    await fake.writeKubeconfig({ user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: plugin } } });
    const client = await loadKubeClient({ kubeconfig: fake.kubeconfig, pluginMs: 500 });
    const isPassing = (error: unknown) => {
      assert.match((error as Error).message, /user "tester".*took too long/);
      return hasCode("TH_KUBE_CREDENTIALS")(error) && (error as KubeError).retryable;
    };
    await Promise.all([1, 2, 3].map(() => assert.rejects(client.list(JOBS, "ci"), isPassing)));
    await client.list(JOBS, "ci");
    await client.close();
  });
});

describe("certificates", () => {
  it("of the client are read again when their files are replaced, for the very next request", async () => {
    await using bench = await startCertificateBench();
    const { client, copy, accept } = bench;
    assert.equal(await readUser(client), "user-1");
    await Promise.all([copy("user-2.crt", "user.crt"), copy("user-2.key", "user.key")]);
    accept("user-2");
    assert.deepEqual(await Promise.all([readUser(client), readUser(client)]), ["user-2", "user-2"]);
  });

  it("of the client that are half replaced are trouble that passes", async () => {
    await using bench = await startCertificateBench();
    const { client, copy, accept } = bench;
    assert.equal(await readUser(client), "user-1");
    accept("user-2");
    await copy("user-2.crt", "user.crt");
    await assert.rejects(readUser(client), (error) => error instanceof KubeError && error.retryable);
    await copy("user-2.key", "user.key");
    assert.equal(await readUser(client), "user-2");
  });

  it("of the server may change under the same authority", async () => {
    await using bench = await startCertificateBench();
    const { client, serve } = bench;
    assert.equal(await readUser(client), "user-1");
    await serve("server-2");
    assert.equal(await untilAnswered(client), "user-1");
  });

  it("of the server may change with its authority, whose file is replaced before or after", async () => {
    await using bench = await startCertificateBench();
    const { client, path, copy, serve, accept } = bench;
    assert.equal(await readUser(client), "user-1");
    const old = await readFile(path("ca.crt"), "utf8");
    await makeCertificates(path(""), REQUESTS);
    // As an authority is changed: both are trusted for a while.
    await replace(path("trusted.crt"), old + (await readFile(path("ca.crt"), "utf8")));
    assert.equal(await untilAnswered(client), "user-1");
    await serve("server-1");
    assert.equal(await untilAnswered(client), "user-1");

    await makeCertificates(path(""), REQUESTS);
    await serve("server-2");
    await assert.rejects(untilAnswered(client), (error) => hasCode("TH_KUBE_TLS")(error) && (error as KubeError).retryable);
    await copy("ca.crt", "trusted.crt");
    accept("user-2");
    await Promise.all([copy("user-2.crt", "user.crt"), copy("user-2.key", "user.key")]);
    assert.equal(await untilAnswered(client), "user-2");
  });
});
