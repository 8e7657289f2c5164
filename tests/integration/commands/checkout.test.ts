import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { access, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CHECKOUT_EXIT_CODES } from "../../../src/core/checkout/problem.ts";
import { parseCheckoutRecord } from "../../../src/core/checkout/record.ts";
import { type Clock, systemClock } from "../../../src/runtime/clock.ts";
import { findFreePort } from "../../support/free-port.ts";
import { assertDone, assertFailed, git, makeWorkspace, type Ran, run } from "../../support/git/checkout-run.ts";
import { type GitDaemon, startGitDaemon } from "../../support/git/git-daemon.ts";
import { type GitHttpServer, startGitHttpServer } from "../../support/git/git-http-server.ts";
import { createGitRepository, type GitRepository, type ZuulChange } from "../../support/git/git-repository.ts";

let root: string;
let daemon: GitDaemon;
let http: GitHttpServer;
let repository: GitRepository;
let firstCommit: string;
let tagObject: string;
let change: ZuulChange;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "turbo-hipster-git-"));
  repository = await createGitRepository(root, "org/project");
  firstCommit = await repository.commit("master", "First", { README: "one\n", "run.sh": { content: "#!/bin/sh\n", mode: "100755" } });
  tagObject = await repository.tag("1.0", firstCommit, "Version 1.0");
  await repository.commit("master", "Second", { README: "two\n" });
  change = await repository.change("master", "Change", { "new.txt": "new\n" });
  daemon = await startGitDaemon(root);
  http = await startGitHttpServer(root);
});

after(async () => {
  await Promise.all([daemon?.stop(), http?.stop()]);
  await rm(root, { recursive: true, force: true });
});

function parametersFor(url: string, changes: object = {}): object {
  const { project, branch, ref, commit } = change;
  return { ZUUL_UUID: "u", ZUUL_URL: url, ZUUL_PROJECT: project, ZUUL_BRANCH: branch, ZUUL_REF: ref, ZUUL_COMMIT: commit, ...changes };
}

for (const protocol of ["git", "http"] as const) {
  const url = () => (protocol === "git" ? daemon.url : http.url);

  test(`a change arrives over ${protocol} with its merge, history, tags and origin`, async (t) => {
    const ran = await run(t, parametersFor(url()));
    assertDone(ran);
    assert.equal(await git(ran, "rev-parse", "HEAD"), change.commit);
    assert.equal(await readFile(join(ran.workspace, "org/project/new.txt"), "utf8"), "new\n");
    assert.equal(await readFile(join(ran.workspace, "org/project/README"), "utf8"), "two\n");
    assert.ok((await stat(join(ran.workspace, "org/project/run.sh"))).mode & 0o100);
    assert.match(await git(ran, "describe"), /^1\.0-3-g/);
    assert.equal(await git(ran, "config", "remote.origin.url"), `${url()}/org/project`);
    assert.equal(await git(ran, "status", "--porcelain"), "");
    assert.equal(await git(ran, "for-each-ref", "--format=%(refname)"), "refs/remotes/origin/master\nrefs/tags/1.0");
    assert.deepEqual(await readdir(ran.workspace), ["org"], "nothing else is left in the workspace");
    assert.match(ran.printed, /^fetching refs\/zuul\/master\/Z/);
    const head = `checked out org/project at ${change.commit} (${change.ref} of ${url()}/org/project) Merge change 1,1 into master`;
    assert.ok(ran.printed.split("\n").includes(head), ran.printed);
    const [record, ...others] = parseCheckoutRecord(ran.message ?? "");
    assert.deepEqual(others, []);
    assert.deepEqual(record, {
      project: "org/project",
      ref: change.ref,
      commit: change.commit,
      subject: "Merge change 1,1 into master",
      url: `${url()}/org/project`,
    });
  });
}

test("a ref build gets ZUUL_COMMIT even when its branch has moved on", async (t) => {
  const ran = await run(t, parametersFor(daemon.url, { ZUUL_REF: "master", ZUUL_COMMIT: firstCommit, ZUUL_NEWREV: firstCommit }));
  assertDone(ran);
  assert.equal(await git(ran, "rev-parse", "HEAD"), firstCommit);
});

test("a pushed annotated tag is checked out though ZUUL_COMMIT names the tag", async (t) => {
  const ran = await run(t, parametersFor(daemon.url, { ZUUL_REF: "refs/tags/1.0", ZUUL_COMMIT: tagObject }));
  assertDone(ran);
  assert.equal(await git(ran, "rev-parse", "HEAD"), firstCommit);
});

test("a timer build gets the tip of its branch also from what is no merger's clone, and never its HEAD", async (t) => {
  const timer = { ZUUL_URL: daemon.url, ZUUL_PROJECT: "org/project" };
  const ran = await run(t, { ...timer, ZUUL_BRANCH: "master" });
  assertDone(ran);
  assertFailed(await run(t, timer), "configuration", /^a build without ZUUL_REF names no branch of org\/project/);
  assert.equal(await git(ran, "log", "-1", "--format=%s"), "Second");
});

test("a SHA-256 repository works", async (t) => {
  const sha256 = await createGitRepository(root, "org/sha256", { objectFormat: "sha256" });
  await sha256.commit("master", "First", { a: "a" });
  const { ref, commit } = await sha256.change("master", "Change", { a: "b" });
  const ran = await run(t, parametersFor(daemon.url, { ZUUL_PROJECT: "org/sha256", ZUUL_REF: ref, ZUUL_COMMIT: commit }));
  assertDone(ran);
  assert.equal(await readFile(join(ran.workspace, "org/sha256/a"), "utf8"), "b");
});

test("a second checkout starts afresh over a half-done one", async (t) => {
  const workspace = await makeWorkspace(t);
  await mkdir(join(workspace, "org/project/.git/refs"), { recursive: true });
  await writeFile(join(workspace, "org/project/.git/index.lock"), "");
  await writeFile(join(workspace, "org/project/leftover"), "");
  const ran = await run(t, parametersFor(daemon.url), { workspace });
  assertDone(ran);
  assert.ok(!existsSync(join(workspace, "org/project/leftover")));
});

test("a link in the workspace never leads a checkout out of it", async (t) => {
  const workspace = await makeWorkspace(t);
  const outside = await makeWorkspace(t);
  await mkdir(join(outside, "project"));
  await writeFile(join(outside, "project/precious"), "");
  await symlink(outside, join(workspace, "org"));
  assertFailed(
    await run(t, parametersFor(daemon.url), { workspace }),
    "configuration",
    /a link or file in the workspace is in the way of org\/project/,
  );
  await access(join(outside, "project/precious"));
});

test("a link as the project's directory is replaced, not followed", async (t) => {
  const workspace = await makeWorkspace(t);
  const outside = await makeWorkspace(t);
  await writeFile(join(outside, "precious"), "");
  await mkdir(join(workspace, "org"));
  await symlink(outside, join(workspace, "org/project"));
  assertDone(await run(t, parametersFor(daemon.url), { workspace }));
  assert.deepEqual(await readdir(outside), ["precious"]);
});

test("a missing ref is the ref's fault and not tried again", async (t) => {
  const ran = await run(t, parametersFor(daemon.url, { ZUUL_REF: "refs/zuul/master/Zgone" }));
  assertFailed(ran, "ref", /^refs\/zuul\/master\/Zgone does not exist in org\/project at 127\.0\.0\.1$/m);
  assert.deepEqual(ran.delaysMs, []);
});

test("a commit that is not in the ref is never the change's fault", async (t) => {
  for (const commit of ["1".repeat(40), change.commit]) {
    const ran = await run(t, parametersFor(daemon.url, { ZUUL_REF: "master", ZUUL_COMMIT: commit }));
    assertFailed(
      ran,
      "configuration",
      new RegExp(`^ZUUL_COMMIT ${commit.slice(0, 12)} is not in ZUUL_REF, look at the parameter-function - `),
    );
  }
});

describe("submodules", () => {
  let lib: GitRepository;
  let libTip: string;
  let innerTip: string;
  let unmerged: string;
  before(async () => {
    const inner = await createGitRepository(root, "org/inner");
    innerTip = await inner.commit("master", "Inner", { "inner.txt": "inner\n" });
    lib = await createGitRepository(root, "org/lib");
    await lib.commit("master", "Lib", { "lib.txt": "old\n" });
    const nested = await writeTree(lib, '[submodule "inner"]\n\tpath = in/ner\n\turl = ../inner\n', [["in/ner", innerTip]], "lib\n");
    libTip = await commitTree(lib, nested, "refs/heads/master");
    unmerged = (await lib.change("master", "Unmerged", { "lib.txt": "unmerged\n" })).commit;
    await lib.git(["update-ref", "refs/other/unmerged", unmerged]);
  });

  /** A tree with links to commits, the blob of .gitmodules and a file `lib.txt`. */
  async function writeTree(of: GitRepository, modules: string, links: [path: string, commit: string][], content = ""): Promise<string> {
    const hash = (text: string) => of.git(["hash-object", "-w", "--stdin"], text);
    const index = { GIT_INDEX_FILE: join(await mkdtemp(join(root, "index-")), "index") };
    const entries = [
      `100644 ${await hash(modules)}\t.gitmodules`,
      `100644 ${await hash(content)}\tlib.txt`,
      ...links.map(([path, commit]) => `160000 ${commit}\t${path}`),
    ];
    await of.git(["update-index", "--add", "--index-info"], `${entries.join("\n")}\n`, index);
    return of.git(["write-tree"], "", index);
  }
  async function commitTree(of: GitRepository, tree: string, ref: string): Promise<string> {
    const commit = await of.git(["commit-tree", "-m", "Linked", tree]);
    await of.git(["update-ref", ref, commit]);
    return commit;
  }
  let count = 0;
  async function link(modules: string, links: [path: string, commit: string][]): Promise<object> {
    count += 1;
    const ref = `refs/zuul/master/Zlinked${count}`;
    await commitTree(repository, await writeTree(repository, modules, links), ref);
    return { ZUUL_REF: ref, ZUUL_COMMIT: null };
  }
  const declare = (url: string, path = "lib", more = "") => `[submodule "a.b"]\n\tpath = ${path}\n\turl = ${url}\n${more}`;
  const read = (ran: Ran, path: string) => readFile(join(ran.workspace, "org/project", path), "utf8");

  for (const protocol of ["git", "http"] as const) {
    test(`are checked out over ${protocol}, and those in them`, async (t) => {
      const changes = await link(declare("../lib"), [["lib", libTip]]);
      const ran = await run(t, parametersFor(protocol === "git" ? daemon.url : http.url, changes));
      assertDone(ran);
      assert.equal(await read(ran, "lib/lib.txt"), "lib\n");
      assert.equal(await read(ran, "lib/in/ner/inner.txt"), "inner\n");
      assert.match(await git(ran, "submodule", "status", "--recursive"), new RegExp(`^${libTip} lib .*\n ${innerTip} lib/in/ner `));
      assert.equal(await git(ran, "status", "--porcelain"), "");
      assert.match(ran.printed, new RegExp(`^checked out submodule lib at ${libTip} \\(\\w+://127.*/org/lib\\)$`, "m"));
    });
  }

  test("are checked out at a commit of no branch, where the server gives it", async (t) => {
    const ran = await run(t, parametersFor(daemon.url, await link(declare(`${daemon.url}/org/lib`), [["lib", unmerged]])));
    assertDone(ran);
    assert.equal(await read(ran, "lib/lib.txt"), "unmerged\n");
  });

  test("are sought at Gerrit first, and then where their project came from", async (t) => {
    const changes = await link(declare("../lib"), [["lib", libTip]]);
    for (const [gitUrl, place] of [
      [http.url, http.url],
      [`${http.url}/org`, daemon.url],
    ] as const) {
      const ran = await run(t, parametersFor(daemon.url, changes), { gitUrl });
      assertDone(ran);
      assert.ok(ran.printed.includes(`(${place}/org/lib)`), ran.printed);
    }
  });

  test("are told and left where the task says so", async (t) => {
    const modules = declare("../lib") + declare("../lib", "\u00fc").replace("a.b", "c");
    const changes = await link(modules, [
      ["lib", libTip],
      ["\u00fc", libTip],
    ]);
    const ran = await run(t, parametersFor(daemon.url, changes), { leaveSubmodules: true });
    assertDone(ran);
    assert.match(ran.printed, /^lib is a submodule and stays empty$/m);
    assert.match(ran.printed, /^\u00fc is a submodule and stays empty$/m);
    assert.deepEqual(await readdir(join(ran.workspace, "org/project/lib")), []);
  });

  test("that .gitmodules does not know are none: nobody could fetch them", async (t) => {
    assertDone(await run(t, parametersFor(daemon.url, await link("", [["lib", libTip]]))));
    assertDone(await run(t, parametersFor(daemon.url, await link(declare("../lib", "other"), [["lib", libTip]]))));
  });

  test("that git would leave are left", async (t) => {
    const ran = await run(t, parametersFor(daemon.url, await link(declare("../lib", "lib", "\tupdate = none\n"), [["lib", libTip]])));
    assertDone(ran);
    assert.match(ran.printed, /^lib is a submodule and stays empty$/m);
  });

  const BAD: [what: string, modules: () => string, fault: "ref" | "configuration", message: RegExp][] = [
    [
      "is not there",
      () => declare("../nobody"),
      "configuration",
      /^submodule 'lib' - 127\.0\.0\.1 has no project org\/nobody - check \.gitmodules$/m,
    ],
    ["lacks the commit", () => declare("../inner"), "ref", /^submodule 'lib' - 127\.0\.0\.1 has no commit [0-9a-f]{12} in org\/inner$/m],
    ["is a file", () => declare(`file://${root}/org/lib`), "configuration", /^submodule 'lib' - its URL has the scheme 'file'/m],
    ["is a path", () => declare(`${root}/org/lib`), "configuration", /^submodule 'lib' - its URL is no URL/m],
    ["is a command", () => declare("ext::sh -c touch% /tmp/x"), "configuration", /^submodule 'lib' - its URL is no URL/m],
    ["is an option", () => declare("--upload-pack=touch"), "configuration", /^submodule 'lib' - its URL is no URL/m],
    [
      "has a host that is an option",
      () => declare("ssh://-oProxyCommand=id/x"),
      "configuration",
      /^submodule 'lib' - its URL has no valid host/m,
    ],
    [
      "leads above its host",
      () => declare("../../../x"),
      "configuration",
      /^submodule 'lib' - its URL '\.\.\/\.\.\/\.\.\/x' leads above the host's root/m,
    ],
    ["steps up half-way", () => declare(`${daemon.url}/a/../org/lib`), "configuration", /^submodule 'lib' - its URL has a path/m],
    ["is in a file that git cannot read", () => '[submodule "a', "ref", /^the commit's \.gitmodules in org\/project cannot be read$/m],
  ];
  for (const [what, modules, fault, message] of BAD) {
    test(`whose repository ${what} end the checkout`, async (t) => {
      const changes = await link(modules(), [["lib", libTip]]);
      assertFailed(await run(t, parametersFor(daemon.url, changes)), fault, message);
    });
  }

  test("are fetched from allowed URLs only", async (t) => {
    const before = http.requests.length;
    const changes = await link(declare(`${http.url}/org/lib`), [["lib", libTip]]);
    const ran = await run(t, parametersFor(daemon.url, changes), { allowedUrl: [daemon.url] });
    assertFailed(ran, "configuration", /^submodule 'lib' - 127\.0\.0\.1 is not allowed for checkouts/m);
    assert.equal(http.requests.length, before);
  });

  test("say nothing that is obeyed but a path and a URL", async (t) => {
    const marker = join(await makeWorkspace(t), "marker");
    const more = `\tupdate = !touch ${marker}\n\tfetchRecurseSubmodules = true\n[core]\n\tfsmonitor = touch ${marker}\n[include]\n\tpath = /etc/passwd\n`;
    const modules = declare("../lib", "lib", more).replace("a.b", "../../../escaped");
    const ran = await run(t, parametersFor(daemon.url, await link(modules, [["lib", libTip]])));
    assertDone(ran);
    assert.equal(await read(ran, "lib/lib.txt"), "lib\n");
    assert.ok(!existsSync(marker));
    assert.deepEqual(await readdir(ran.workspace), ["org"]);
    assert.ok(!(await readdir(join(ran.workspace, "org/project/.git"))).includes("modules"));
  });
});

test("an empty repository has nothing to check out", async (t) => {
  await createGitRepository(root, "org/empty");
  const ran = await run(t, { ZUUL_URL: daemon.url, ZUUL_PROJECT: "org/empty", ZUUL_BRANCH: "master" });
  assertFailed(ran, "configuration", /^org\/empty at 127\.0\.0\.1 has no branch master/);
});

test("a commit that would write into .git is the ref's fault", async (t) => {
  const hostile = await createGitRepository(root, "org/hostile");
  const blob = await hostile.git(["hash-object", "-w", "--stdin"], "#!/bin/sh\n");
  const hooks = await hostile.git(["mktree"], `100755 blob ${blob}\tpost-checkout\n`);
  const dotGit = await hostile.git(["mktree"], `040000 tree ${hooks}\thooks\n`);
  const tree = await hostile.git(["mktree"], `040000 tree ${dotGit}\t.git\n`);
  const commit = await hostile.git(["commit-tree", "-m", "Hostile", tree]);
  await hostile.git(["update-ref", "refs/heads/master", commit]);
  const ran = await run(t, { ZUUL_URL: daemon.url, ZUUL_PROJECT: "org/hostile", ZUUL_BRANCH: "master" });
  assertFailed(ran, "ref", /the commit holds a path in org\/hostile that git refuses/);
  assert.ok(!existsSync(join(ran.workspace, "org/hostile/.git/hooks/post-checkout")));
});

for (const protocol of ["git", "http"] as const) {
  test(`a missing project is the configuration's fault over ${protocol}`, async (t) => {
    const ran = await run(t, parametersFor(protocol === "git" ? daemon.url : http.url, { ZUUL_PROJECT: "org/nobody" }));
    assertFailed(ran, "configuration", /127\.0\.0\.1 has no project org\/nobody - check zuul_url in zuul\.conf/);
  });

  test(`a port where nothing listens is the network's fault over ${protocol}, after three tries`, async (t) => {
    const ran = await run(t, parametersFor(`${protocol}://127.0.0.1:${await findFreePort()}`));
    assertFailed(ran, "network", /^127\.0\.0\.1 refuses connections/);
    assert.equal(ran.delaysMs.length, 2);
    assert.ok(ran.delaysMs.every((delayMs, index) => delayMs >= 1000 * 2 ** index && delayMs <= 2000 * 2 ** index));
  });
}

test("a port where nothing listens is the network's fault over ssh", async (t) => {
  const ran = await run(t, parametersFor(`ssh://zuul@127.0.0.1:${await findFreePort()}`));
  assertFailed(ran, "network", /^127\.0\.0\.1 refuses connections/);
  assert.match(ran.printed, /ssh: connect to host 127\.0\.0\.1 port \d+: Connection refused/, "ssh's own words are in the log");
});

test("a host name that does not exist is the network's fault", async (t) => {
  assertFailed(await run(t, parametersFor("git://merger.invalid")), "network", /cannot resolve the host name merger\.invalid/);
});

/** A server that accepts and never says a word. */
async function startBlackHole(t: TestContext, onConnection: () => void = () => {}): Promise<{ port: number; connected: Promise<Socket> }> {
  const sockets = new Set<Socket>();
  const { promise: connected, resolve } = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.resume();
    resolve(socket);
    onConnection();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((closed) => server.close(closed));
  });
  return { port: (server.address() as AddressInfo).port, connected };
}

/** A clock whose timers of `delayMs` go off when `fire` is called, and whose timers of any other length never do, but for the shortest. */
function makeTimers(delayMs: number): { schedule: Clock["schedule"]; fire(): void } {
  const pending = new Set<() => void>();
  return {
    schedule(wantedMs, callback) {
      if (wantedMs <= 1000) return systemClock.schedule(wantedMs, callback); // from SIGTERM to SIGKILL
      if (wantedMs === delayMs) pending.add(callback);
      return () => pending.delete(callback);
    },
    fire() {
      for (const callback of pending) callback();
    },
  };
}

for (const protocol of ["git", "http", "ssh"]) {
  test(`a server that accepts and says nothing over ${protocol} is given up and tried again`, async (t) => {
    const timers = makeTimers(15_000);
    const { port } = await startBlackHole(t, timers.fire);
    const ran = await run(t, parametersFor(`${protocol}://127.0.0.1:${port}`), { timeoutMs: 60_000, schedule: timers.schedule });
    assertFailed(ran, "network", /^127\.0\.0\.1 said nothing for 15s$/m);
    assert.equal(ran.delaysMs.length, 2);
  });
}

test("a checkout that is not done in its time is the network's fault and not tried again", async (t) => {
  const timers = makeTimers(60_000);
  const { port } = await startBlackHole(t, timers.fire);
  const ran = await run(t, parametersFor(`git://127.0.0.1:${port}`), { timeoutMs: 60_000, schedule: timers.schedule });
  assertFailed(ran, "network", /^the checkout from 127\.0\.0\.1 was not done within 1m$/m);
  assert.deepEqual(ran.delaysMs, []);
});

test("a stop ends git and what it started at once", async (t) => {
  const { port, connected } = await startBlackHole(t);
  const stop = new AbortController();
  const running = run(t, parametersFor(`http://127.0.0.1:${port}`), { signal: stop.signal });
  const socket = await connected;
  const gone = new Promise((resolve) => socket.once("close", resolve));
  stop.abort();
  const ran = await running;
  await gone; // git-remote-http, a grandchild, held it
  assert.equal(ran.code, CHECKOUT_EXIT_CODES.stopped);
  assert.equal(ran.message, undefined);
});

test("a server that recovers is asked again, and the checkout succeeds", async (t) => {
  let failures = 2;
  const server = await startGitHttpServer(root, (_request, response) => {
    if (failures === 0) return false;
    failures -= 1;
    response.writeHead(503).end();
    return true;
  });
  t.after(() => server.stop());
  const ran = await run(t, parametersFor(server.url));
  assertDone(ran);
  assert.equal(ran.delaysMs.length, 2);
  assert.match(ran.printed, /HTTP status 503 for org\/project; trying again in \d\.\d s \(2 of 3\)/);
});

const HTTP_ANSWERS: [status: number, headers: Record<string, string>, fault: "network" | "configuration", message: RegExp][] = [
  [401, { "www-authenticate": "Basic realm=x" }, "configuration", /asks for credentials/],
  [403, {}, "configuration", /refuses the checkout access to org\/project/],
  [404, {}, "configuration", /has no project/],
  [200, { "content-type": "text/html" }, "configuration", /no git project|has no project/],
  [429, {}, "network", /HTTP status 429/],
  [500, {}, "network", /HTTP status 500/],
];

for (const [status, headers, fault, message] of HTTP_ANSWERS) {
  test(`${fault} is at fault when a server answers ${status}`, async (t) => {
    const server = await startGitHttpServer(root, (_request, response) => {
      response.writeHead(status, headers).end("<html>no</html>\n");
      return true;
    });
    t.after(() => server.stop());
    assertFailed(await run(t, parametersFor(server.url)), fault, message);
  });
}

test("a redirect is followed unless URLs are limited", async (t) => {
  const server = await startGitHttpServer(root, (request, response) => {
    response.writeHead(301, { location: `${http.url}${request.url}` }).end();
    return true;
  });
  t.after(() => server.stop());
  assertDone(await run(t, parametersFor(server.url)));
  const before = http.requests.length;
  const limited = await run(t, parametersFor(server.url), { allowedUrl: [server.url] });
  assertFailed(limited, "configuration", /127\.0\.0\.1 redirects to another URL/);
  assert.equal(http.requests.length, before, "the other server was not asked");
});

test("an URL that is not allowed is not asked", async (t) => {
  const before = http.requests.length;
  const ran = await run(t, parametersFor(http.url), { allowedUrl: ["https://git.example/", `${http.url}/other`] });
  assertFailed(ran, "configuration", /127\.0\.0\.1 is not allowed for checkouts/);
  assert.equal(http.requests.length, before);
  assertDone(await run(t, parametersFor(http.url), { allowedUrl: ["https://git.example/", `${http.url}/org`] }));
});

test("credentials reach the server and nothing else", async (t) => {
  let authorization: string | undefined;
  const server = await startGitHttpServer(root, (request, response) => {
    authorization = request.headers.authorization;
    if (authorization !== undefined) return false;
    response.writeHead(401, { "www-authenticate": "Basic realm=git" }).end();
    return true;
  });
  t.after(() => server.stop());
  const ran = await run(t, parametersFor(server.url.replace("//", "//jodoe:s3cret@")));
  assertDone(ran);
  assert.equal(authorization, `Basic ${Buffer.from("jodoe:s3cret").toString("base64")}`);
  assert.equal(await git(ran, "config", "remote.origin.url"), `${server.url}/org/project`);
  assert.doesNotMatch(`${ran.printed}${await readFile(join(ran.workspace, "org/project/.git/config"), "utf8")}`, /s3cret|jodoe/);
});

test("credentials are not in what git says about a failure", async (t) => {
  const server = await startGitHttpServer(root, (request, response) => {
    if (request.url === "/elsewhere") response.end();
    else response.writeHead(302, { location: "/elsewhere" }).end();
    return true;
  });
  t.after(() => server.stop());
  const ran = await run(t, parametersFor(server.url.replace("//", "//jodoe:s3cret@")));
  assertFailed(ran, "configuration", /redirects to another URL/);
  assert.match(ran.printed, /asked for: http:\/\/\*\*\*@127/, "git shows the whole URL here");
  assert.doesNotMatch(`${ran.printed}${ran.errors}`, /s3cret|jodoe/);
});

const HOSTILE: [what: string, changes: (marker: string) => object][] = [
  ["ZUUL_URL ext::", (marker) => ({ ZUUL_URL: `ext::sh -c touch% ${marker}` })],
  ["ZUUL_URL file:", () => ({ ZUUL_URL: `file://${root}` })],
  ["ZUUL_URL path", () => ({ ZUUL_URL: root })],
  ["ZUUL_URL option", (marker) => ({ ZUUL_URL: `--upload-pack=touch ${marker}` })],
  ["ZUUL_URL host option", (marker) => ({ ZUUL_URL: `ssh://-oProxyCommand=touch ${marker}/x` })],
  ["ZUUL_URL user option", (marker) => ({ ZUUL_URL: `ssh://-oProxyCommand=touch ${marker}@h/x` })],
  ["ZUUL_PROJECT up", () => ({ ZUUL_PROJECT: "../../org/project" })],
  ["ZUUL_PROJECT absolute", () => ({ ZUUL_PROJECT: "/org/project" })],
  ["ZUUL_PROJECT option", () => ({ ZUUL_PROJECT: "--bare" })],
  ["ZUUL_PROJECT command", (marker) => ({ ZUUL_PROJECT: `x;touch ${marker}` })],
  ["ZUUL_REF option", (marker) => ({ ZUUL_REF: `--upload-pack=touch ${marker}` })],
  ["ZUUL_REF refspec", () => ({ ZUUL_REF: "refs/heads/master:refs/heads/x" })],
  ["ZUUL_BRANCH command", (marker) => ({ ZUUL_REF: null, ZUUL_BRANCH: `$(touch ${marker})` })],
  ["ZUUL_COMMIT option", (marker) => ({ ZUUL_COMMIT: `--output=${marker}` })],
  ["ZUUL_COMMIT command", (marker) => ({ ZUUL_COMMIT: `\`touch ${marker}\`` })],
];

for (const [what, changes] of HOSTILE) {
  test(`hostile ${what} is refused before anything runs`, async (t) => {
    const marker = join(await makeWorkspace(t), "marker");
    const ran = await run(t, parametersFor(daemon.url, changes(marker)));
    assertFailed(ran, "configuration", /^ZUUL_/);
    assert.equal(ran.printed, "");
    assert.ok(!existsSync(marker));
    assert.deepEqual(await readdir(ran.workspace), []);
  });
}

test("parameters and the container's environment never become git's", async (t) => {
  const marker = join(await makeWorkspace(t), "marker");
  const hostile = {
    GIT_SSH_COMMAND: `touch ${marker}`,
    GIT_TRACE: marker,
    GIT_OBJECT_DIRECTORY: marker,
    GIT_CONFIG_PARAMETERS: "'core.bare=true'",
  };
  assertDone(await run(t, parametersFor(daemon.url, hostile), { environment: hostile }));
  assert.ok(!existsSync(marker));
});

const UNREADABLE: [what: string, text: string, message: RegExp][] = [
  ["no JSON", "{", /parameters of the request are not JSON/],
  ["a list", "[]", /no JSON object/],
  ["nothing", "", /ZUUL_PROJECT is missing/],
];
for (const [what, text, message] of UNREADABLE) {
  test(`a parameters file with ${what} is the configuration's fault`, async (t) =>
    assertFailed(await run(t, text), "configuration", message));
}

test("a missing parameters file is the configuration's fault", async (t) => {
  for (const path of ["", join(await makeWorkspace(t), "parameters")]) {
    assertFailed(await run(t, {}, { environment: { TH_PARAMETERS_FILE: path } }), "configuration", /TH_PARAMETERS_FILE/);
  }
});

test("a missing workspace and a missing git are the configuration's fault", async (t) => {
  const nowhere = join(await makeWorkspace(t), "nowhere");
  assertFailed(await run(t, parametersFor(daemon.url), { workspace: nowhere }), "configuration", /cannot prepare the workspace/);
  assertFailed(await run(t, parametersFor(daemon.url), { environment: { PATH: nowhere } }), "configuration", /cannot start git/);
});

/** The command as the pod runs it, in a process of its own. */
async function startCommand(t: TestContext, values: object, ...args: string[]) {
  const workspace = await makeWorkspace(t);
  const files = await makeWorkspace(t);
  await writeFile(join(files, "parameters"), JSON.stringify(values));
  const source = fileURLToPath(new URL("../../../src/commands/checkout.ts", import.meta.url));
  const script = `import { checkoutCommand } from ${JSON.stringify(source)}; await checkoutCommand().parseAsync(process.argv.slice(1), { from: "user" });`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, "--", "--path", workspace, ...args], {
    env: { PATH: process.env.PATH, TH_PARAMETERS_FILE: join(files, "parameters"), TH_TERMINATION_FILE: join(files, "message") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  const exited = new Promise<{ code: number | null; output: string }>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.on("close", (code) => resolve({ code, output }));
  });
  return { child, exited, workspace };
}

test("the command takes its flags and exits with the code", async (t) => {
  const { exited, workspace } = await startCommand(
    t,
    parametersFor(http.url),
    "--allowed-url",
    "git://h",
    "--allowed-url",
    http.url,
    "--timeout",
    "1m",
  );
  const { code, output } = await exited;
  assert.equal(code, 0, output);
  await access(join(workspace, "org/project/new.txt"));
  const refused = await (await startCommand(t, parametersFor(http.url), "--allowed-url", "git://h")).exited;
  assert.equal(refused.code, CHECKOUT_EXIT_CODES.configuration, refused.output);
});

test("the command refuses a timeout that is none", async (t) => {
  const { code, output } = await (await startCommand(t, {}, "--timeout", "soon")).exited;
  assert.equal(code, 1);
  assert.match(output, /--timeout .*soon.* is invalid\. .*write it as 90s/);
});

test("SIGTERM stops the command with 143", async (t) => {
  const { port, connected } = await startBlackHole(t);
  const { child, exited } = await startCommand(t, parametersFor(`git://127.0.0.1:${port}`));
  await connected;
  child.kill("SIGTERM");
  assert.equal((await exited).code, CHECKOUT_EXIT_CODES.stopped);
});

test("the command gives up when its time is over", async (t) => {
  const { port } = await startBlackHole(t);
  const { code, output } = await (await startCommand(t, parametersFor(`git://127.0.0.1:${port}`), "--timeout", "1s")).exited;
  assert.equal(code, CHECKOUT_EXIT_CODES.network, output);
});
