import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { loadKubeCredentials } from "../../../../src/kube/client/kube-credentials.ts";
import { InputError } from "../../../../src/runtime/errors.ts";

let directory = "";
const environment = { ...process.env };
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "th-credentials-"));
});
after(async () => {
  // Nothing was made where no test of this file was asked for.
  if (directory !== "") await rm(directory, { recursive: true });
});
afterEach(() => {
  for (const name of ["KUBECONFIG", "HOME", "KUBERNETES_SERVICE_HOST"]) {
    if (environment[name] === undefined) delete process.env[name];
    else process.env[name] = environment[name];
  }
});

interface Parts {
  cluster?: object;
  user?: object;
  contexts?: object[];
  current?: string;
}

function render({ cluster = { server: "https://server:6443" }, user = { token: "abc" }, contexts, current = "one" }: Parts): string {
  return JSON.stringify({
    "current-context": current,
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user }],
    contexts: contexts ?? [{ name: "one", context: { cluster: "c", user: "u" } }],
  });
}

async function write(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

describe("a kubeconfig that can't be used is an input error that names place and remedy", () => {
  const CASES: [title: string, text: string, context: string | undefined, message: RegExp][] = [
    ["it is no YAML", "{", undefined, /can't read the kubeconfig .*kc.*not a kubeconfig.*kubectl config view/],
    ["it is empty", "", undefined, /can't read the kubeconfig .*kc.*not a kubeconfig/],
    ["it has no current context", render({ current: "" }), undefined, /no current-context; name one with --context \(it has: one\)/],
    ["the context is unknown", render({}), "other", /no context "other"; name another with --context \(it has: one\)/],
    [
      "its cluster is missing",
      render({ contexts: [{ name: "one", context: { cluster: "x", user: "u" } }] }),
      undefined,
      /context "one" of .*kc names cluster "x"/,
    ],
    [
      "its user is missing",
      render({ contexts: [{ name: "one", context: { cluster: "c", user: "x" } }] }),
      undefined,
      /context "one" of .*kc names user "x"/,
    ],
    [
      "the server is no URL",
      render({ cluster: { server: "server:6443" } }),
      undefined,
      /server of cluster "c".*must be an http or https URL/,
    ],
    [
      "the server is plain http",
      render({ cluster: { server: "http://server" } }),
      undefined,
      /plain http; use https, or say insecure-skip/,
    ],
    ["the server is missing", render({ cluster: {} }), undefined, /clusters\[0\]\.cluster\.server is missing/],
    [
      "the proxy is of an unknown kind",
      render({ cluster: { server: "https://s", "proxy-url": "socks4://p" } }),
      undefined,
      /proxy-url of cluster "c".*socks5/,
    ],
    [
      "the authority's file is missing",
      render({ cluster: { server: "https://s", "certificate-authority": "/nowhere/ca.crt" } }),
      undefined,
      /\/nowhere\/ca\.crt, which .*kc names, does not exist/,
    ],
    [
      "the token's file is missing",
      render({ user: { tokenFile: "/nowhere/token" } }),
      undefined,
      /\/nowhere\/token, which .* does not exist/,
    ],
    ["the certificate's file is missing", render({ user: { "client-certificate": "/nowhere/c" } }), undefined, /\/nowhere\/c, which/],
  ];
  for (const [title, text, context, message] of CASES) {
    it(`when ${title}`, async () => {
      const kubeconfig = await write("kc", text);
      await assert.rejects(loadKubeCredentials({ kubeconfig, context }), (error) => {
        assert.ok(error instanceof InputError, String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it("when there is no such file", async () => {
    const kubeconfig = join(directory, "missing");
    await assert.rejects(
      loadKubeCredentials({ kubeconfig }),
      /can't read the kubeconfig .*missing \(given by --kubeconfig\): there is no such file/,
    );
    process.env.KUBECONFIG = kubeconfig;
    await assert.rejects(loadKubeCredentials({}), /missing \(named by the variable KUBECONFIG\): there is no such file/);
  });

  it("when there is none at all", async () => {
    delete process.env.KUBECONFIG;
    delete process.env.KUBERNETES_SERVICE_HOST;
    process.env.HOME = directory;
    await assert.rejects(loadKubeCredentials({}), /no Kubernetes cluster is configured.*give a file with --kubeconfig FILE/);
  });
});

describe("a kubeconfig", () => {
  it("is found by flag, else by KUBECONFIG, and its context by flag, else by current-context", async () => {
    const two = [
      { name: "one", context: { cluster: "c", user: "u" } },
      { name: "two", context: { cluster: "c", user: "u" } },
    ];
    process.env.KUBECONFIG = await write("kc", render({ contexts: two }));
    assert.match((await loadKubeCredentials({})).label, /context one of .*kc/);
    assert.match((await loadKubeCredentials({ context: "two" })).label, /context two of .*kc/);
    const other = await write("other", render({ cluster: { server: "https://other/prefix/" } }));
    const credentials = await loadKubeCredentials({ kubeconfig: other });
    assert.deepEqual([credentials.origin, credentials.pathPrefix], ["https://other", "/prefix"]);
  });

  it("may be several files in KUBECONFIG: missing ones are left out, of equal names the first counts", async () => {
    const first = await write("first", render({ cluster: { server: "https://first" }, contexts: [] }));
    const second = await write("second", render({ cluster: { server: "https://second" } }));
    process.env.KUBECONFIG = [join(directory, "missing"), first, second].join(delimiter);
    assert.equal((await loadKubeCredentials({})).origin, "https://first");
  });

  it("gives token, basic and impersonation headers", async () => {
    const headersOf = async (user: object) => {
      const credentials = await loadKubeCredentials({ kubeconfig: await write("kc", render({ user })) });
      return (await credentials.authenticate()).headers;
    };
    assert.deepEqual(await headersOf({ token: "abc\n" }), { Authorization: "Bearer abc" });
    assert.deepEqual(await headersOf({ username: "a", password: "b" }), { Authorization: "Basic YTpi" });
    assert.deepEqual(await headersOf({ token: "abc", as: "other" }), { Authorization: "Bearer abc", "Impersonate-User": "other" });
    assert.deepEqual(await headersOf({}), {});
  });

  it("verifies the server unless it says otherwise, with its own authority, also where it names no user", async () => {
    const caFile = await write("ca.crt", "CA");
    const connectOf = async (cluster: object, contexts?: object[]) => {
      const kubeconfig = await write("kc", render({ cluster: { server: "https://s", ...cluster }, ...(contexts ? { contexts } : {}) }));
      return (await (await loadKubeCredentials({ kubeconfig })).authenticate()).connect as { connect?: Record<string, unknown> };
    };
    const strict = await connectOf({ "certificate-authority": "ca.crt" }, [{ name: "one", context: { cluster: "c" } }]);
    assert.deepEqual([strict.connect?.ca, strict.connect?.rejectUnauthorized], [Buffer.from("CA"), undefined]);
    assert.equal((await connectOf({ "insecure-skip-tls-verify": true })).connect?.rejectUnauthorized, false);
    assert.equal((await connectOf({ "certificate-authority": caFile, "tls-server-name": "other" })).connect?.servername, "other");
  });

  it("keeps the same connection options until a file of them changes", async () => {
    const cluster = { server: "https://s", "certificate-authority": "ca.crt" };
    await write("ca.crt", "CA 1");
    const credentials = await loadKubeCredentials({ kubeconfig: await write("kc", render({ cluster })) });
    const first = (await credentials.authenticate()).connect;
    assert.equal((await credentials.authenticate()).connect, first);
    await write("ca.crt", "CA 2");
    assert.notEqual((await credentials.authenticate()).connect, first);
  });

  it("keeps the old credentials while the file can't be read", async () => {
    const kubeconfig = await write("kc", render({ user: { token: "old" } }));
    const credentials = await loadKubeCredentials({ kubeconfig });
    await write("kc", "{");
    credentials.reload();
    assert.equal((await credentials.authenticate()).headers.Authorization, "Bearer old");
    await write("kc", render({ user: { token: "new" } }));
    credentials.reload();
    assert.equal((await credentials.authenticate()).headers.Authorization, "Bearer new");
  });
});
