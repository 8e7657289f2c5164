import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { assertDone, assertFailed, git, makeWorkspace, type Ran, run } from "../../support/git/checkout-run.ts";
import { type GitHttpServer, startGitHttpServer } from "../../support/git/git-http-server.ts";
import { createGitRepository, type GitRepository, type ZuulChange } from "../../support/git/git-repository.ts";

/** A volume that several checkouts share: a large repository is fetched once. */
let root: string;
let repository: GitRepository;
let change: ZuulChange;
let server: GitHttpServer;
let sentBytes = 0;

/** Text of so many bytes that nothing compresses. */
const noise = (bytes: number) => randomBytes((bytes * 3) / 4).toString("base64");
const MIB = 1024 * 1024;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "turbo-hipster-cached-"));
  repository = await createGitRepository(root, "org/project");
  await repository.commit("master", "Large", { large: noise(6 * MIB) });
  await repository.commit("master", "Small", { README: "small\n" });
  change = await repository.change("master", "Change", { "new.txt": "new\n" });
  server = await startGitHttpServer(root, (request, response) => {
    const before = request.socket.bytesWritten;
    response.on("close", () => {
      sentBytes += request.socket.bytesWritten - before;
    });
    return false;
  });
});

after(async () => {
  await server?.stop();
  await rm(root, { recursive: true, force: true });
});

async function checkOut(t: TestContext, cache: string | undefined, changes: object = {}): Promise<Ran & { receivedBytes: number }> {
  const { project, branch, ref, commit } = change;
  const values = { ZUUL_URL: server.url, ZUUL_PROJECT: project, ZUUL_BRANCH: branch, ZUUL_REF: ref, ZUUL_COMMIT: commit, ...changes };
  const before = sentBytes;
  const ran = await run(t, values, { timeoutMs: 300_000, ...(cache !== undefined && { cache }) });
  return { ...ran, receivedBytes: sentBytes - before };
}

async function readBundles(cache: string): Promise<string[]> {
  const names = await readdir(cache);
  for (const name of names) {
    assert.match(name, /^[0-9a-f]{64}-sha1\.bundle$/);
    await promisify(execFile)("git", ["bundle", "verify", join(cache, name)], { cwd: repository.directory });
  }
  return names;
}

/** A cache that holds the repository. */
async function fillCache(t: TestContext): Promise<{ cache: string; path: string }> {
  const cache = await makeWorkspace(t);
  assertDone(await checkOut(t, cache));
  const [name, ...others] = await readBundles(cache);
  assert.ok(name);
  assert.deepEqual(others, []);
  return { cache, path: join(cache, name) };
}

test("what one checkout has fetched no other does, and the clone is the same", async (t) => {
  const without = await checkOut(t, undefined);
  const { cache } = await fillCache(t);
  const ran = await checkOut(t, cache);
  assertDone(ran);
  assert.match(ran.printed, /^took 4\.\d MiB of http.*org\/project from the cache$/m);
  assert.ok(without.receivedBytes > 4 * MIB, String(without.receivedBytes));
  assert.ok(ran.receivedBytes < 20_000, String(ran.receivedBytes));
  for (const args of [["rev-parse", "HEAD"], ["for-each-ref"], ["status", "--porcelain"], ["config", "--list", "--local"]]) {
    assert.equal(await git(ran, ...args), await git(without, ...args));
  }
  await git(ran, "fsck", "--full");
});

test("what the cache lacks is fetched, and much of it is kept", async (t) => {
  const { cache, path } = await fillCache(t);
  const { size } = await stat(path);
  await repository.commit("master", "Little", { little: noise(MIB / 2) });
  const little = await checkOut(t, cache, { ZUUL_REF: "refs/heads/master", ZUUL_COMMIT: null });
  assertDone(little);
  assert.equal((await stat(path)).size, size);
  await repository.commit("master", "Much", { much: noise(4 * MIB) });
  assertDone(await checkOut(t, cache, { ZUUL_REF: "refs/heads/master", ZUUL_COMMIT: null }));
  assert.ok((await stat(path)).size > size + 3 * MIB);
  const next = await checkOut(t, cache, { ZUUL_REF: "refs/heads/master", ZUUL_COMMIT: null });
  assertDone(next);
  assert.ok(next.receivedBytes < 20_000, String(next.receivedBytes));
});

const BROKEN: [what: string, change: (path: string) => Promise<unknown>][] = [
  ["cut off", (path) => truncate(path, 3 * MIB)],
  ["empty", (path) => truncate(path, 0)],
  [
    "changed within",
    async (path) => {
      const bytes = await readFile(path);
      bytes.write("what is not there", 4 * MIB);
      await writeFile(path, bytes);
    },
  ],
  ["no bundle", (path) => writeFile(path, "#!/bin/sh\n")],
  [
    "a link to another file",
    async (path) => {
      await rm(path);
      await symlink("/etc/passwd", path);
    },
  ],
  [
    "a directory",
    async (path) => {
      await rm(path);
      await mkdir(path);
    },
  ],
];
for (const [what, breakIt] of BROKEN) {
  test(`a cache that is ${what} is told, not used, and made anew`, async (t) => {
    const { cache, path } = await fillCache(t);
    await breakIt(path);
    const ran = await checkOut(t, cache);
    assertDone(ran);
    assert.match(ran.printed, /^the cache of http.*org\/project is broken and not used - /m);
    assert.doesNotMatch(ran.printed, /root:/);
    await git(ran, "fsck", "--full");
    await readBundles(cache);
  });
}

test("many checkouts at once, as some of them write, all read whole ones", async (t) => {
  const cache = await makeWorkspace(t);
  for (const round of [1, 2]) {
    await repository.commit("master", "More", { [`more${round}`]: noise(6 * MIB) });
    const all = await Promise.all(Array.from({ length: 6 }, () => checkOut(t, cache)));
    for (const ran of all) {
      assertDone(ran);
      assert.doesNotMatch(ran.printed, /broken/);
    }
  }
  assert.equal((await readBundles(cache)).length, 1);
});

test("what another server gave is never taken", async (t) => {
  const { cache } = await fillCache(t);
  const other = await startGitHttpServer(root);
  t.after(() => other.stop());
  const ran = await checkOut(t, cache, { ZUUL_URL: other.url });
  assertDone(ran);
  assert.doesNotMatch(ran.printed, /from the cache/);
  assert.equal((await readBundles(cache)).length, 2);
});

test("a server that lets nobody in is not replaced by the cache", async (t) => {
  let isShut = false;
  const shutting = await startGitHttpServer(root, (_request, response) => {
    if (isShut) response.writeHead(403).end();
    return isShut;
  });
  t.after(() => shutting.stop());
  const cache = await makeWorkspace(t);
  assertDone(await checkOut(t, cache, { ZUUL_URL: shutting.url }));
  isShut = true;
  assertFailed(await checkOut(t, cache, { ZUUL_URL: shutting.url }), "configuration", /refuses the checkout access/);
});

test("a commit that the cache has and the ref has no more is not checked out", async (t) => {
  const gone = await repository.commit("gone", "Gone", { gone: noise(3 * MIB) });
  const { cache } = await fillCache(t);
  await repository.git(["update-ref", "-d", "refs/heads/gone"]);
  const ran = await checkOut(t, cache, { ZUUL_REF: "refs/heads/master", ZUUL_COMMIT: gone });
  assertFailed(ran, "configuration", /is not in ZUUL_REF/);
  const fresh = await checkOut(t, cache);
  assertDone(fresh);
  assert.doesNotMatch(await git(fresh, "for-each-ref"), /gone|cached/);
});

test("a volume that cannot be written to is told and harms nothing", async (t) => {
  const ran = await checkOut(t, join(await makeWorkspace(t), "nowhere"));
  assertDone(ran);
  assert.match(ran.printed, /org\/project is not kept in the cache - /);
});

test("small repositories are not kept, and what nobody has used for a month goes, ours alone", async (t) => {
  const small = await createGitRepository(root, "org/small");
  const commit = await small.commit("master", "Small", { README: "small\n" });
  const { cache, path } = await fillCache(t);
  const old = new Date(Date.now() - 31 * 24 * 3_600_000);
  await writeFile(join(cache, "precious"), "");
  await writeFile(`${path.replace(/[0-9a-f]{64}/, "0".repeat(64))}`, "");
  await writeFile(`${path.replace(/[0-9a-f]{64}/, "1".repeat(64))}.lock`, "");
  for (const name of await readdir(cache)) await utimes(join(cache, name), old, old);
  assertDone(await checkOut(t, cache, { ZUUL_PROJECT: "org/small", ZUUL_REF: "refs/heads/master", ZUUL_COMMIT: commit }));
  assert.equal((await readdir(cache)).length, 4, "a small one does not look");
  await truncate(path, 0);
  assertDone(await checkOut(t, cache));
  assert.deepEqual(new Set(await readdir(cache)), new Set([path.slice(cache.length + 1), "precious"]));
});
