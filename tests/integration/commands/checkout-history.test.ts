import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { assertDone, assertFailed, git, type Ran, run } from "../../support/git/checkout-run.ts";
import { type GitDaemon, startGitDaemon } from "../../support/git/git-daemon.ts";
import { type GitHttpServer, startGitHttpServer } from "../../support/git/git-http-server.ts";
import { createGitRepository, type GitRepository, type ZuulChange } from "../../support/git/git-repository.ts";

/** A part of the history, from servers that give it and from others that don't. */
let root: string;
let repository: GitRepository;
let commits: string[];
let change: ZuulChange;
let daemon: GitDaemon;
let plain: GitHttpServer;
let filtering: GitHttpServer;
/** Files alone, as any web server has them. */
let dumb: GitHttpServer;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "turbo-hipster-history-"));
  repository = await createGitRepository(root, "org/project");
  commits = [];
  for (const word of ["one", "two", "three"]) commits.push(await repository.commit("master", word, { README: `${word}\n` }));
  await repository.commit("stable", "Stable", { README: "stable\n" });
  change = await repository.change("master", "Change", { "new.txt": "new\n" });
  await repository.git(["update-server-info"]);
  daemon = await startGitDaemon(root);
  plain = await startGitHttpServer(root);
  filtering = await startGitHttpServer(root, undefined, { config: [["uploadpack.allowFilter", "true"]] });
  dumb = await startGitHttpServer(root, ({ url = "" }, response) => {
    const file = join(root, new URL(url, "http://h").pathname);
    if (existsSync(file)) response.end(readFileSync(file));
    else response.writeHead(404).end();
    return true;
  });
});

after(async () => {
  await Promise.all([daemon?.stop(), plain?.stop(), filtering?.stop(), dumb?.stop()]);
  await rm(root, { recursive: true, force: true });
});

function checkOut(t: TestContext, url: string, options: Parameters<typeof run>[2], changes: object = {}): Promise<Ran> {
  const { project, branch, ref, commit } = change;
  const values = { ZUUL_URL: url, ZUUL_PROJECT: project, ZUUL_BRANCH: branch, ZUUL_REF: ref, ZUUL_COMMIT: commit, ...changes };
  return run(t, values, options);
}

/** In a process that can reach no server. */
async function offline(ran: Ran, ...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: ran.workspace, GIT_ALLOW_PROTOCOL: "" };
  return (await promisify(execFile)("git", args, { cwd: join(ran.workspace, "org/project"), env })).stdout.trim();
}

for (const [name, url] of [
  ["git-daemon", () => daemon.url],
  ["git http-backend", () => plain.url],
] as const) {
  test(`depth fetches the last commits alone from ${name}`, async (t) => {
    const ran = await checkOut(t, url(), { depth: 2 });
    assertDone(ran);
    assert.equal(await git(ran, "rev-parse", "HEAD"), change.commit);
    // The merge, and both its parents.
    assert.equal(await git(ran, "rev-list", "--count", "HEAD"), "3");
    assert.equal(await git(ran, "for-each-ref"), "");
    assert.equal(await git(ran, "diff", "--name-only", "HEAD^1"), "new.txt");
    assert.equal(await git(ran, "status", "--porcelain"), "");
  });

  test(`depth fetches the rest from ${name} where ZUUL_COMMIT is none of the last`, async (t) => {
    const [first = ""] = commits;
    const update = { ZUUL_REF: "refs/heads/master", ZUUL_COMMIT: first, ZUUL_NEWREV: first };
    const ran = await checkOut(t, url(), { depth: 1 }, update);
    assertDone(ran);
    assert.equal(await git(ran, "rev-parse", "HEAD"), first);
    assert.equal(await git(ran, "rev-parse", "--is-shallow-repository"), "false");
    assert.match(ran.printed, /is none of the last commits; fetching the rest$/m);
  });
}

test("depth takes no commit for the ref's that is another's", async (t) => {
  const foreign = { ZUUL_REF: "refs/heads/master", ZUUL_COMMIT: change.commit };
  assertFailed(await checkOut(t, daemon.url, { depth: 1 }, foreign), "configuration", /is not in ZUUL_REF/);
  assertFailed(await checkOut(t, daemon.url, { depth: 1 }, { ZUUL_COMMIT: "1".repeat(40) }), "configuration", /is not in ZUUL_REF/);
});

test("depth and an annotated tag that ZUUL_COMMIT names need no more", async (t) => {
  const tag = await repository.tag("1.0", commits[1] ?? "", "Version 1.0");
  const ran = await checkOut(t, daemon.url, { depth: 1 }, { ZUUL_REF: "refs/tags/1.0", ZUUL_COMMIT: tag });
  assertDone(ran);
  assert.equal(await git(ran, "rev-parse", "HEAD"), commits[1]);
  assert.equal(await git(ran, "rev-list", "--count", "HEAD"), "1");
});

test("a server of files gives the whole history, and it is told", async (t) => {
  await repository.git(["update-server-info"]);
  const ran = await checkOut(t, dumb.url, { depth: 1 });
  assertDone(ran);
  assert.match(ran.printed, /gives no part of its history; fetching all of it$/m);
  assert.ok(Number(await git(ran, "rev-list", "--count", "HEAD")) > 4);
});

test("blob:none has all commits, and of files those of the one that is checked out", async (t) => {
  const ran = await checkOut(t, filtering.url, { filter: "blob:none" });
  assertDone(ran);
  assert.equal(await offline(ran, "rev-parse", "HEAD"), change.commit);
  assert.equal(await offline(ran, "rev-list", "--count", "HEAD"), "5");
  assert.equal(await offline(ran, "diff", "--name-only", "HEAD~3"), "README\nnew.txt");
  assert.equal(await offline(ran, "status", "--porcelain"), "");
  assert.equal(await readFile(join(ran.workspace, "org/project/README"), "utf8"), "three\n");
  assert.match(await offline(ran, "for-each-ref"), /refs\/remotes\/origin\/stable/);
  await assert.rejects(offline(ran, "show", `${commits[0]}:README`), "the file of an older commit is not there");
  assert.equal(await git(ran, "show", `${commits[0]}:README`), "one", "git has fetched it");
});

test("blob:none takes no commit for the ref's that is another's", async (t) => {
  const foreign = { ZUUL_REF: "refs/heads/master", ZUUL_COMMIT: change.commit };
  const before = filtering.requests.length;
  assertFailed(await checkOut(t, filtering.url, { filter: "blob:none" }, foreign), "configuration", /is not in ZUUL_REF/);
  const posts = filtering.requests.slice(before).filter((request) => request.startsWith("POST"));
  assert.equal(posts.length, 2, "the refs, and one fetch: git does not go for the commit behind our back");
});

for (const [name, url] of [
  ["git-daemon, which refuses it,", () => daemon.url],
  ["a server of files", () => dumb.url],
  ["a URL with a login, which would be written down,", () => filtering.url.replace("//", "//jodoe:s3cret@")],
] as const) {
  test(`blob:none from ${name} brings everything`, async (t) => {
    const ran = await checkOut(t, url(), { filter: "blob:none", timeoutMs: 40_000 });
    assertDone(ran);
    assert.equal(await offline(ran, "show", `${commits[0]}:README`), "one");
    assert.doesNotMatch(await readFile(join(ran.workspace, "org/project/.git/config"), "utf8"), /s3cret/);
  });
}

for (const [name, url, count] of [
  ["git-daemon", () => daemon.url, "1"],
  ["a server of files, which gives all of it,", () => dumb.url, "2"],
] as const) {
  test(`depth is the submodules' as well, from ${name}`, async (t) => {
    const lib = await createGitRepository(root, `org/lib${count}`);
    await lib.commit("master", "One", { a: "1" });
    const second = await lib.commit("master", "Two", { a: "2" });
    await lib.commit("master", "Three", { a: "3" });
    const modules = await repository.git(["hash-object", "-w", "--stdin"], `[submodule "lib"]\n\tpath = lib\n\turl = ../lib${count}\n`);
    const tree = await repository.git(["mktree"], `100644 blob ${modules}\t.gitmodules\n160000 commit ${second}\tlib\n`);
    const linked = await repository.git(["commit-tree", "-m", "Linked", tree]);
    await repository.git(["update-ref", "refs/zuul/master/Zlinked", linked]);
    for (const each of [repository, lib]) await each.git(["update-server-info"]);
    const ran = await checkOut(t, url(), { depth: 1 }, { ZUUL_REF: "refs/zuul/master/Zlinked", ZUUL_COMMIT: linked });
    assertDone(ran);
    assert.equal(await git(ran, "-C", "lib", "rev-parse", "HEAD"), second);
    assert.equal(await git(ran, "-C", "lib", "rev-list", "--count", "HEAD"), count);
  });
}
