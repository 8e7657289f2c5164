import assert from "node:assert/strict";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { performCheckout } from "../../../src/commands/checkout.ts";
import { CHECKOUT_EXIT_CODES } from "../../../src/core/checkout/problem.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { type GitDaemon, startGitDaemon } from "../../support/git/git-daemon.ts";
import { type GitHttpServer, startGitHttpServer } from "../../support/git/git-http-server.ts";
import { createGitRepository, type GitRepository } from "../../support/git/git-repository.ts";
import { type MergerOperation, runZuulMerger } from "../../support/zuul/zuul-merger.ts";

/**
 * Checkouts from what Zuul 2.6's own merger leaves when it has updated a project for a timer's item and somebody uploads a change before the
 * build's pod fetches: its HEAD is the change.
 */
const PROJECT = "org/project";
const DEFAULTLESS = "org/defaultless";
const BUILD_SET = `Z${"5".repeat(32)}`;

let root: string;
let gerrit: GitRepository;
let tip: string;
let stableTip: string;
let mergedChange: string;
let daemon: GitDaemon;
let http: GitHttpServer;

/** The merger works as after its start: with the clones that are there. */
const merger = (operations: readonly MergerOperation[]) => runZuulMerger(join(root, "merger"), operations);
const gerritUrl = (project: string) => join(root, "gerrit", project);
const update = (project: string): MergerOperation => ({ op: "update", project, url: gerritUrl(project) });
const merge = (project: string, branch: string, ref: string): MergerOperation => {
  const refspec = "refs/changes/01/1/1";
  return { op: "merge", items: [{ project, url: gerritUrl(project), branch, refspec, ref, number: 1, patchset: 1 }] };
};

before(async () => {
  root = await mkdtemp(join(tmpdir(), "turbo-hipster-merger-"));
  gerrit = await createGitRepository(join(root, "gerrit"), PROJECT);
  await gerrit.git(["symbolic-ref", "HEAD", "refs/heads/trunk"]);
  stableTip = await gerrit.commit("stable/kilo", "Stable", { state: "STABLE" });
  tip = await gerrit.commit("trunk", "Trunk", { state: "REVIEWED" });
  await gerrit.change("trunk", "In review", { state: "UNREVIEWED" });

  const defaultless = await createGitRepository(join(root, "gerrit"), DEFAULTLESS);
  await defaultless.git(["symbolic-ref", "HEAD", "refs/heads/gone"]);
  await defaultless.commit("other", "Other", { state: "REVIEWED" });
  await defaultless.change("other", "In review", { state: "UNREVIEWED" });

  const results = await merger([
    update(PROJECT),
    merge(PROJECT, "trunk", BUILD_SET),
    update(DEFAULTLESS),
    merge(DEFAULTLESS, "other", BUILD_SET),
  ]);
  mergedChange = results[1] ?? assert.fail("the change was not merged");
  assert.ok(results[3]);
  daemon = await startGitDaemon(join(root, "merger"));
  http = await startGitHttpServer(join(root, "merger"));
});

after(async () => {
  await Promise.all([daemon?.stop(), http?.stop()]);
  await rm(root, { recursive: true, force: true });
});

interface Checkout {
  code: number;
  /** What the change's file says, where there is one. */
  state: string | undefined;
  commit: string | undefined;
  error: string;
}

async function checkout(
  t: TestContext,
  parameters: object,
  flags: { branch?: string; url?: string; project?: string } = {},
): Promise<Checkout> {
  const workspace = await realpath(await mkdtemp(join(tmpdir(), "turbo-hipster-workspace-")));
  t.after(() => rm(workspace, { recursive: true, force: true }));
  const project = flags.project ?? PROJECT;
  const file = join(workspace, "parameters.json");
  await writeFile(file, JSON.stringify({ ZUUL_PROJECT: project, ZUUL_URL: flags.url ?? daemon.url, ...parameters }));
  const printed: string[] = [];
  const errors: string[] = [];
  const code = await performCheckout(
    { path: workspace, allowedUrl: [], timeout: 60_000, ...(flags.branch === undefined ? {} : { branch: flags.branch }) },
    {
      environment: { PATH: process.env.PATH, TH_PARAMETERS_FILE: file },
      clock: systemClock,
      signal: new AbortController().signal,
      print: (line) => void printed.push(line),
      printError: (line) => void errors.push(line),
    },
  );
  const state = await readFile(join(workspace, project, "state"), "utf8").catch(() => undefined);
  return { code, state, commit: /^checked out \S+ at ([0-9a-f]+)/m.exec(printed.join("\n"))?.[1], error: errors.join("\n") };
}

function refused({ code, error }: Checkout, message: RegExp, fault: "network" | "configuration" = "configuration"): void {
  assert.equal(code, CHECKOUT_EXIT_CODES[fault], error);
  assert.match(error, message);
}

test("the merger's HEAD is the change that was uploaded last, and its branches are not", async () => {
  const clone = join(root, "merger", PROJECT);
  const rev = (name: string) => gerrit.git(["--git-dir", join(clone, ".git"), "rev-parse", name]);
  assert.equal(await rev("HEAD"), mergedChange);
  assert.equal(await rev("refs/remotes/origin/HEAD"), tip);
  assert.equal(await rev("refs/remotes/origin/trunk"), tip);
  assert.notEqual(mergedChange, tip);
});

test("a timer's build gets the default branch of the reviewed side, over git and over http", async (t) => {
  for (const url of [daemon.url, http.url]) {
    const done = await checkout(t, {}, { url });
    assert.deepEqual(done, { code: 0, state: "REVIEWED", commit: tip, error: "" });
  }
});

test("a timer's build gets the branch that its task names, before ZUUL_BRANCH", async (t) => {
  assert.equal((await checkout(t, {}, { branch: "stable/kilo" })).commit, stableTip);
  assert.equal((await checkout(t, { ZUUL_BRANCH: "stable/kilo" })).commit, stableTip);
  assert.equal((await checkout(t, { ZUUL_BRANCH: "stable/kilo" }, { branch: "trunk" })).commit, tip);
});

test("a branch that is not there is the configuration's fault, and no other is taken", async (t) => {
  refused(
    await checkout(t, { ZUUL_BRANCH: "trunk" }, { branch: "kilo" }),
    /org\/project at 127\.0\.0\.1 has no branch kilo - look at checkout\.branch$/,
  );
  refused(await checkout(t, { ZUUL_BRANCH: "kilo" }), /has no branch kilo - look at ZUUL_BRANCH$/);
});

test("where the reviewed side names no default branch, a timer's build without one is refused", async (t) => {
  const done = await checkout(t, {}, { project: DEFAULTLESS });
  refused(done, /^a build without ZUUL_REF names no branch of org\/defaultless - set checkout\.branch in the TestTask$/);
  assert.equal(done.state, undefined);
  assert.equal((await checkout(t, {}, { project: DEFAULTLESS, branch: "other" })).state, "REVIEWED");
});

test("the build of the change itself gets the change", async (t) => {
  const done = await checkout(t, { ZUUL_BRANCH: "trunk", ZUUL_REF: `refs/zuul/trunk/${BUILD_SET}`, ZUUL_COMMIT: mergedChange });
  assert.deepEqual(done, { code: 0, state: "UNREVIEWED", commit: mergedChange, error: "" });
});

test("a branch's build of a commit that the merger has not fetched says that the merger is behind, until it is not", async (t) => {
  const newer = await gerrit.commit("trunk", "Newer", { state: "NEWER" });
  const post = { ZUUL_REFNAME: "trunk", ZUUL_REF: "trunk", ZUUL_OLDREV: tip, ZUUL_NEWREV: newer, ZUUL_COMMIT: newer };
  const behind = "^the merger is behind, see its log - refs/heads/trunk of org/project lacks ZUUL_COMMIT";
  refused(await checkout(t, post), new RegExp(`${behind} ${newer.slice(0, 12)} at`), "network");
  refused(
    await checkout(t, { ...post, ZUUL_REF: "refs/tags/9.0", ZUUL_REFNAME: "refs/tags/9.0" }),
    /^the merger is behind, see its log - refs\/tags\/9\.0 of org\/project does not exist/,
    "network",
  );
  await merger([update(PROJECT)]);
  assert.deepEqual(await checkout(t, post), { code: 0, state: "NEWER", commit: newer, error: "" });
  // Its HEAD is a symbolic ref now, of a ref that is none of a branch's.
  assert.equal((await checkout(t, {})).state, "NEWER");
});
