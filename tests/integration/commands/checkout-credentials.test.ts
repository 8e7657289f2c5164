import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { makeCertificates } from "../../../deploy/local/certificates.ts";
import { assertDone, assertFailed, git, makeWorkspace, type Ran, run } from "../../support/git/checkout-run.ts";
import { type GitHttpServer, startGitHttpServer } from "../../support/git/git-http-server.ts";
import { createGitRepository, type GitRepository, type ZuulChange } from "../../support/git/git-repository.ts";
import { type GitSshServer, startGitSshServer } from "../../support/git/git-ssh-server.ts";
import { startConnectProxy } from "../../support/proxies/connect-proxy.ts";

/** Real servers that let nobody in without what a Secret holds: sshd, and git's own HTTP server behind TLS by a CA that nobody else trusts. */
const PASSWORD = 's3cret "word"\\';
const BASIC = `Basic ${Buffer.from(`jodoe:${PASSWORD}`).toString("base64")}`;
const TOKEN = "t0ken-of-the-robot";

let root: string;
let pki: string;
let repository: GitRepository;
let change: ZuulChange;
let ssh: GitSshServer;
let tls: { key: Buffer; cert: Buffer };
let secure: GitHttpServer;
/** What came to `secure` in the header Authorization. */
const authorizations: (string | undefined)[] = [];

function letIn(request: IncomingMessage, response: ServerResponse): boolean {
  authorizations.push(request.headers.authorization);
  if ([BASIC, `Bearer ${TOKEN}`].includes(request.headers.authorization ?? "")) return false;
  response.writeHead(401, { "www-authenticate": "Basic realm=git" }).end();
  return true;
}

before(async () => {
  root = await mkdtemp(join(tmpdir(), "turbo-hipster-private-"));
  pki = join(root, "pki");
  await mkdir(pki);
  await makeCertificates(pki, [{ file: "server", subject: "/CN=git", alternativeNames: ["IP:127.0.0.1"] }]);
  tls = { key: await readFile(join(pki, "server.key")), cert: await readFile(join(pki, "server.crt")) };
  repository = await createGitRepository(join(root, "git"), "org/project");
  await repository.commit("master", "First", { README: "one\n" });
  change = await repository.change("master", "Change", { "new.txt": "new\n" });
  secure = await startGitHttpServer(join(root, "git"), letIn, { tls });
  await mkdir(join(root, "ssh"));
  ssh = await startGitSshServer(join(root, "git"), join(root, "ssh"));
});

after(async () => {
  await Promise.all([secure?.stop(), ssh?.stop()]);
  await rm(root, { recursive: true, force: true });
});

/** A Secret as a volume shows it: files that everybody may read. */
async function mountSecret(t: TestContext, data: Record<string, string>): Promise<string> {
  const directory = await makeWorkspace(t);
  for (const [key, value] of Object.entries(data)) await writeFile(join(directory, key), value, { mode: 0o644 });
  return directory;
}

function parametersFor(url: string): object {
  const { project, branch, ref, commit } = change;
  return { ZUUL_UUID: "u", ZUUL_URL: url, ZUUL_PROJECT: project, ZUUL_BRANCH: branch, ZUUL_REF: ref, ZUUL_COMMIT: commit };
}

const ca = () => readFile(join(pki, "ca.crt"), "utf8");

interface Attempt {
  secret: Record<string, string>;
  /** Of the credentials; by default the server's. */
  url?: string;
  allowedUrl?: string[];
  environment?: Record<string, string>;
  privateDirectory?: string;
}

async function checkOut(t: TestContext, server: string, { secret, url = server, allowedUrl = [server], ...others }: Attempt): Promise<Ran> {
  const credentials = [{ url, directory: await mountSecret(t, secret) }];
  return run(t, parametersFor(server), { allowedUrl, credentials, ...others });
}

/** All that a checkout has left, in files of any name. */
async function readLeft(ran: Ran): Promise<string> {
  const texts: string[] = [];
  for (const entry of await readdir(ran.workspace, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) texts.push(entry.name, await readFile(join(entry.parentPath, entry.name), "latin1"));
  }
  return texts.join("\n");
}

/** Programs before git and ssh in the PATH that write down how they were called, and then are them. */
async function recordCalls(t: TestContext): Promise<{ environment: { PATH: string }; read(): Promise<string> }> {
  const directory = await makeWorkspace(t);
  const calls = join(directory, "calls");
  for (const name of ["git", "ssh"]) {
    const real = (await promisify(execFile)("which", [name])).stdout.trim();
    await writeFile(join(directory, name), `#!/bin/sh\n{ echo ${name} "$@"; env; } >>${calls}\nexec ${real} "$@"\n`);
    await chmod(join(directory, name), 0o755);
  }
  return { environment: { PATH: `${directory}:${process.env.PATH}` }, read: () => readFile(calls, "utf8") };
}

const WAYS: [what: string, url: () => string, secret: () => Promise<Record<string, string>>, hidden: () => string[]][] = [
  [
    "a login over https by a CA of its own",
    () => secure.url,
    async () => ({ username: "jodoe", password: `${PASSWORD}\n`, "ca.crt": await ca() }),
    () => [PASSWORD, BASIC.slice(6), "s3cret"],
  ],
  ["a token over https", () => secure.url, async () => ({ token: TOKEN, "ca.crt": await ca() }), () => [TOKEN]],
  [
    "a key over ssh, from a Secret with the line ends of another system",
    () => ssh.url,
    async () => ({ "ssh-privatekey": ssh.key.trimEnd().replaceAll("\n", "\r\n"), known_hosts: ssh.knownHosts }),
    () => [ssh.key.split("\n")[2] ?? "PRIVATE KEY", "PRIVATE KEY"],
  ],
];

for (const [what, url, secret, hidden] of WAYS) {
  test(`${what} opens its server and is seen nowhere`, async (t) => {
    const privateDirectory = await makeWorkspace(t);
    const calls = await recordCalls(t);
    const ran = await checkOut(t, url(), { secret: await secret(), environment: calls.environment, privateDirectory });
    assertDone(ran);
    assert.equal(await git(ran, "rev-parse", "HEAD"), change.commit);
    assert.equal(await git(ran, "config", "remote.origin.url"), `${url()}/org/project`);
    const called = await calls.read();
    assert.match(called, /^git fetch .*org\/project/m);
    for (const [place, text] of Object.entries({
      "the log": `${ran.printed}${ran.errors}${ran.message}`,
      "what git was called with": called,
      "the workspace": await readLeft(ran),
    })) {
      for (const word of hidden()) assert.ok(!text.includes(word), `${word} is in ${place}`);
    }
    assert.deepEqual(await readdir(privateDirectory), [], "no copy is left");
  });
}

test("a Secret's CA goes before the container's own", async (t) => {
  const others = join(await makeWorkspace(t), "others.crt");
  await promisify(execFile)("openssl", [
    "req",
    "-x509",
    "-newkey",
    "ed25519",
    "-noenc",
    "-keyout",
    "/dev/null",
    "-out",
    others,
    "-subj",
    "/CN=other",
  ]);
  const environment = { GIT_SSL_CAINFO: others };
  assertDone(await checkOut(t, secure.url, { secret: { token: TOKEN, "ca.crt": await ca() }, environment }));
  const ran = await checkOut(t, secure.url, { secret: { token: TOKEN }, environment });
  assertFailed(ran, "configuration", /TLS certificate of 127\.0\.0\.1 is not trusted/);
});

describe("are refused", () => {
  test("with a wrong password", async (t) => {
    const ran = await checkOut(t, secure.url, { secret: { username: "jodoe", password: "guessed", "ca.crt": await ca() } });
    assertFailed(ran, "configuration", /127\.0\.0\.1 asks for credentials for org\/project - none of checkout\.credentials is taken/);
    assert.deepEqual(ran.delaysMs, []);
  });

  test("with another key", async (t) => {
    const secret = { "ssh-privatekey": ssh.otherKey, known_hosts: ssh.knownHosts };
    assertFailed(await checkOut(t, ssh.url, { secret }), "configuration", /asks for credentials for .*org\/project/);
    assert.match(ssh.log(), /Connection closed by authenticating user/);
  });

  test("when the server has another key than known_hosts says, and it is told nothing", async (t) => {
    const line = ssh.knownHosts.replace(/ .*/, ` ${(await readFile(join(root, "ssh/other.pub"), "utf8")).split(" ", 2).join(" ")}`);
    const ran = await checkOut(t, ssh.url, { secret: { "ssh-privatekey": ssh.key, known_hosts: line } });
    assertFailed(ran, "configuration", /the SSH host key of 127\.0\.0\.1 is not known - see known_hosts/);
  });

  test("when nobody trusts the server's certificate, before the login is sent", async (t) => {
    authorizations.length = 0;
    const ran = await checkOut(t, secure.url, { secret: { username: "jodoe", password: PASSWORD } });
    assertFailed(ran, "configuration", /the TLS certificate of 127\.0\.0\.1 is not trusted - ca\.crt in a Secret/);
    assert.deepEqual(authorizations, []);
  });

  test("without allowed URLs, before anything is asked", async (t) => {
    authorizations.length = 0;
    const ran = await checkOut(t, secure.url, { secret: { token: TOKEN, "ca.crt": await ca() }, allowedUrl: [] });
    assertFailed(ran, "configuration", /^credentials need checkout\.allowedUrls in the configuration/);
    assert.deepEqual(authorizations, []);
  });

  test("when the Secret is empty", async (t) => {
    const ran = await checkOut(t, secure.url, { secret: {} });
    assertFailed(ran, "configuration", /^the Secret of checkout\.credentials for https.* has nothing for https - username and password/);
    assert.equal(ran.printed, "");
  });
});

describe("are sent nowhere else:", () => {
  /** A server that takes everybody and says what came as Authorization. */
  async function startOther(t: TestContext): Promise<{ server: GitHttpServer; seen: (string | undefined)[] }> {
    const seen: (string | undefined)[] = [];
    const note = (request: IncomingMessage) => {
      seen.push(request.headers.authorization);
      return false;
    };
    const server = await startGitHttpServer(join(root, "git"), note, { tls });
    t.after(() => server.stop());
    return { server, seen };
  }
  const secret = async () => ({ username: "jodoe", password: PASSWORD, "ca.crt": await ca() });
  /** For what is another port of the same host, whose certificate must be trusted all the same. */
  const trust = async () => ({ environment: { GIT_SSL_CAINFO: join(pki, "ca.crt") } });

  test("not to another port, nor to another path", async (t) => {
    const { server, seen } = await startOther(t);
    for (const url of [secure.url, `${server.url}/other`, `${server.url}/org/proj`, server.url.replace("127.0.0.1", "127.0.0.2")]) {
      assertDone(await checkOut(t, server.url, { secret: await secret(), url, ...(await trust()) }));
    }
    assert.deepEqual(new Set(seen), new Set([undefined]));
  });

  test("not to where a redirect leads, which is not asked at all", async (t) => {
    const { server, seen } = await startOther(t);
    const redirecting = await startGitHttpServer(
      join(root, "git"),
      (request, response) => {
        response.writeHead(302, { location: `${server.url}${request.url}` }).end();
        return true;
      },
      { tls },
    );
    t.after(() => redirecting.stop());
    const allowedUrl = [redirecting.url, server.url];
    assertFailed(
      await checkOut(t, redirecting.url, { secret: await secret(), allowedUrl }),
      "configuration",
      /127\.0\.0\.1 redirects to another URL/,
    );
    assert.deepEqual(seen, []);
  });

  test("not to the server of a submodule", async (t) => {
    const { server, seen } = await startOther(t);
    const lib = await createGitRepository(join(root, "git"), "org/lib");
    const commit = await lib.commit("master", "Lib", { "lib.txt": "lib\n" });
    const modules = await repository.git(
      ["hash-object", "-w", "--stdin"],
      `[submodule "lib"]\n\tpath = lib\n\turl = ${server.url}/org/lib\n`,
    );
    const tree = await repository.git(["mktree"], `100644 blob ${modules}\t.gitmodules\n160000 commit ${commit}\tlib\n`);
    const linked = await repository.git(["commit-tree", "-m", "Linked", tree]);
    await repository.git(["update-ref", "refs/zuul/master/Zlinked", linked]);
    authorizations.length = 0;
    const ran = await run(
      t,
      { ...parametersFor(secure.url), ZUUL_REF: "refs/zuul/master/Zlinked", ZUUL_COMMIT: linked },
      {
        allowedUrl: [secure.url, server.url],
        credentials: [{ url: secure.url, directory: await mountSecret(t, await secret()) }],
        ...(await trust()),
      },
    );
    assertDone(ran);
    assert.deepEqual(new Set(authorizations), new Set([BASIC]));
    assert.deepEqual(new Set(seen), new Set([undefined]));
  });
});

test("a Secret's proxy is used for its server, and its login is seen nowhere", async (t) => {
  await using proxy = await startConnectProxy({ port: Number(new URL(secure.url).port), login: "jodoe:prox1word" });
  const secret = { token: TOKEN, "ca.crt": await ca(), proxy: `${proxy.url.replace("//", "//jodoe:prox1word@")}\n` };
  const calls = await recordCalls(t);
  const ran = await checkOut(t, secure.url, { secret, environment: calls.environment });
  assertDone(ran);
  assert.deepEqual(new Set(proxy.requests.map(({ target }) => target)), new Set([new URL(secure.url).host]));
  for (const text of [ran.printed, await calls.read(), await readLeft(ran)]) assert.doesNotMatch(text, /prox1word/);
});

test("a proxy that does not take the login is the configuration's fault", async (t) => {
  await using proxy = await startConnectProxy({ port: Number(new URL(secure.url).port), login: "jodoe:prox1word" });
  const secret = { token: TOKEN, "ca.crt": await ca(), proxy: proxy.url.replace("//", "//jodoe:guessed@") };
  const ran = await checkOut(t, secure.url, { secret });
  assertFailed(ran, "configuration", /^the proxy to 127\.0\.0\.1 asks for another login - see proxy in the Secret/);
  assert.doesNotMatch(`${ran.printed}${ran.errors}`, /guessed/);
});
