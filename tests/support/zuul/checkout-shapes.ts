import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGitDaemon } from "../git/git-daemon.ts";
import { createGitRepository, type GitRepository } from "../git/git-repository.ts";
import { type MergerOperation, runZuulMerger } from "./zuul-merger.ts";
import type { BuildShape } from "./zuul-parameters.ts";

/** Gerrit and Zuul's merger with what builds of every shape refer to, both served by git-daemon. */
export interface CheckoutWorld {
  gerritUrl: string;
  mergerUrl: string;
  /** What each commit is, for people. */
  nameOf(commit: string): string;
  cases: readonly CheckoutCase[];
  stop(): Promise<void>;
}

export interface CheckoutCase {
  what: string;
  shape: BuildShape;
  /** What a parameter-function makes of it. */
  changes?: Record<string, string>;
  task: { projects?: string[]; branch?: string; projectBranches?: Record<string, string> };
  /** Where turbo-hipster does not do as zuul-cloner: why. */
  better?: string;
}

const ZERO = "0".repeat(40);
const buildSet = (digit: number) => `Z${String(digit).repeat(32)}`;

const PROJECT = "org/project";
const LIB = "org/lib";
const TOOLS = "org/tools";
const TRUNK = "org/trunk";

export async function startCheckoutWorld(): Promise<CheckoutWorld> {
  const root = await mkdtemp(join(tmpdir(), "turbo-hipster-shapes-"));
  const names = new Map<string, string>();
  const named = (commit: string, name: string): string => {
    names.set(commit, name);
    return commit;
  };
  const repositories = new Map<string, GitRepository>();
  const createRepository = async (project: string, branches: readonly string[]) => {
    const repository = await createGitRepository(join(root, "gerrit"), project);
    repositories.set(project, repository);
    await repository.git(["symbolic-ref", "HEAD", `refs/heads/${branches[0]}`]);
    for (const branch of branches) named(await repository.commit(branch, `${project} ${branch}`, { state: branch }), `tip of ${branch}`);
    return repository;
  };
  const project = await createRepository(PROJECT, ["master", "stable/kilo", "feature/c++"]);
  const lib = await createRepository(LIB, ["master", "stable/kilo"]);
  await createRepository(TOOLS, ["master"]);
  await createRepository(TRUNK, ["trunk"]);

  const url = (name: string) => join(root, "gerrit", name);
  const merger = (operations: readonly MergerOperation[]) => runZuulMerger(join(root, "merger"), operations);
  const tip = (name: string, branch: string) => repositories.get(name)?.git(["rev-parse", `refs/heads/${branch}`]) ?? Promise.reject();
  // What others have uploaded, as Gerrit keeps it.
  const uploads: Record<number, { project: string; branch: string; refspec: string }> = {};
  const upload = async (number: number, name: string, branch: string) => {
    const repository = repositories.get(name);
    if (!repository) throw new Error(`no repository ${name}`);
    const { commit, ref } = await repository.change(branch, `Change ${number}`, { [`change-${number}`]: "" });
    const refspec = `refs/uploads/${number}`;
    const proposed = await repository.git(["rev-parse", `${commit}^2`]);
    await repository.git(["update-ref", refspec, proposed]);
    await repository.git(["update-ref", "-d", ref]);
    uploads[number] = { project: name, branch, refspec };
  };
  await upload(1, LIB, "master");
  await upload(2, PROJECT, "master");
  await upload(3, PROJECT, "stable/kilo");
  await upload(4, LIB, "stable/kilo");
  await upload(5, PROJECT, "feature/c++");
  await upload(6, TRUNK, "trunk");

  // The merger merges queues of changes; the last change's build set is what a build is of.
  const queues: readonly [set: number, numbers: readonly number[]][] = [
    [1, [2]],
    [2, [1, 2]],
    [3, [3]],
    [4, [4, 2]],
    [5, [5]],
    [6, [6]],
  ];
  const operations = queues.map(([set, numbers]): MergerOperation & { op: "merge" } => ({
    op: "merge",
    items: numbers.map((number, index) => {
      const { project: of, branch, refspec } = uploads[number] ?? { project: "", branch: "", refspec: "" };
      const ref = index === numbers.length - 1 ? buildSet(set) : `Z${"a".repeat(30)}${set}${index}`;
      return { project: of, url: url(of), branch, refspec, ref, number, patchset: 1 };
    }),
  }));
  const merged = (await merger(operations)).map((commit, index) => {
    if (!commit) throw new Error(`Zuul's merger did not merge queue ${index + 1}`);
    return commit;
  });
  const [alone = "", behind = "", kilo = "", across = "", plus = "", ofTrunk = ""] = merged;
  for (const [index, { items }] of operations.entries()) {
    for (const { project: of, branch, number } of items) {
      const ref = `refs/zuul/${branch}/${buildSet(index + 1)}`;
      const commit = await project.git(["--git-dir", join(root, "merger", of, ".git"), "rev-parse", ref]);
      named(commit, `merge of change ${number}`);
    }
  }

  const oldTip = await tip(PROJECT, "master");
  names.set(oldTip, "tip of master, one before");
  const tag = await project.tag("1.0", oldTip, "Version 1.0");
  const newTip = named(await project.commit("master", "Merged", { state: "merged" }), "tip of master");
  await project.git(["update-ref", "refs/heads/gone", oldTip]);
  await merger([PROJECT, TRUNK].map((name) => ({ op: "update", project: name, url: url(name) })));
  await project.git(["update-ref", "-d", "refs/heads/gone"]);
  const created = await tip(PROJECT, "stable/kilo");
  // Submitted after the merger has looked last.
  const unseen = await project.commit("feature/c++", "Unseen", { state: "unseen" });
  // Reviewed since, in a project that no build has made the merger update.
  named(await lib.commit("master", "Later", { state: "later" }), "tip of master");

  const [gerritDaemon, mergerDaemon] = await Promise.all([startGitDaemon(join(root, "gerrit")), startGitDaemon(join(root, "merger"))]);
  const change = (number: number, set: number, commit: string, pipeline = "gate", ahead: number[] = []): BuildShape => ({
    kind: "change",
    pipeline,
    url: mergerDaemon.url,
    project: uploads[number]?.project ?? "",
    branch: uploads[number]?.branch ?? "",
    number,
    ref: buildSet(set),
    commit,
    ahead: ahead.map((each) => ({ project: uploads[each]?.project ?? "", branch: uploads[each]?.branch ?? "", number: each })),
  });
  const ref = (name: string, oldrev: string, newrev: string): BuildShape => ({
    kind: "ref",
    pipeline: "post",
    url: mergerDaemon.url,
    project: PROJECT,
    ref: name,
    oldrev,
    newrev,
  });
  const timer = (of: string): BuildShape => ({ kind: "timer", pipeline: "periodic", url: mergerDaemon.url, project: of });

  const cases: CheckoutCase[] = [
    { what: "change, independent pipeline", shape: change(2, 1, alone, "check"), task: { projects: [LIB, TOOLS] } },
    { what: "change, enqueued by hand", shape: change(2, 1, alone, "gate"), task: {} },
    { what: "change behind another project's in the queue", shape: change(2, 2, behind, "gate", [1]), task: { projects: [LIB, TOOLS] } },
    { what: "change of a stable branch", shape: change(3, 3, kilo), task: { projects: [LIB, TOOLS] } },
    { what: "change, and the task names a branch", shape: change(2, 1, alone), task: { projects: [LIB, TOOLS], branch: "stable/kilo" } },
    {
      what: "change behind one of another branch, which the task names for it",
      shape: change(2, 4, across, "gate", [4]),
      task: { projects: [LIB], projectBranches: { [LIB]: "stable/kilo" } },
    },
    {
      what: "change, and the task names a branch that no project has",
      shape: change(2, 1, alone),
      task: { projects: [LIB], branch: "nowhere" },
    },
    { what: "change of a stable branch, tested on master", shape: change(3, 3, kilo), task: { projectBranches: { [PROJECT]: "master" } } },
    {
      what: "change of a branch called feature/c++",
      shape: change(5, 5, plus),
      task: { projects: [LIB] },
      better: "zuul-cloner takes the branch for a regular expression",
    },
    {
      what: "change whose ref is gone from the merger",
      shape: change(2, 9, alone),
      task: {},
      better: "zuul-cloner tests the branch without the change, and the change passes",
    },
    {
      what: "change, with a project whose only branch is trunk",
      shape: change(2, 1, alone),
      task: { projects: [TRUNK] },
      better: "zuul-cloner knows no other default branch than master",
    },
    { what: "change of a project without master", shape: change(6, 6, ofTrunk), task: {} },
    { what: "branch updated", shape: ref("master", oldTip, newTip), task: { projects: [LIB] } },
    { what: "branch updated, and again since", shape: ref("master", ZERO, oldTip), task: {} },
    { what: "branch updated, by its full name", shape: ref("refs/heads/master", oldTip, newTip), task: {} },
    {
      what: "branch updated, and the task names a branch",
      shape: ref("master", oldTip, newTip),
      task: { projects: [LIB], branch: "stable/kilo" },
    },
    { what: "branch updated, and the merger is behind", shape: ref("feature/c++", ZERO, unseen), task: {} },
    { what: "branch created", shape: ref("stable/kilo", ZERO, created), task: { projects: [TOOLS] } },
    { what: "branch deleted", shape: ref("gone", oldTip, ZERO), task: {} },
    { what: "branch deleted, and the task says where Gerrit is", shape: ref("gone", oldTip, ZERO), task: { projects: [TOOLS] } },
    { what: "tag pushed", shape: ref("refs/tags/1.0", ZERO, tag), task: { projects: [LIB] } },
    { what: "ref enqueued by hand with --newrev", shape: ref("master", ZERO, newTip), task: {} },
    { what: "ref enqueued by hand without --newrev", shape: ref("master", oldTip, ZERO), task: {} },
    {
      what: "timer",
      shape: timer(PROJECT),
      task: { projects: [LIB] },
    },
    { what: "timer, and the task names a branch", shape: timer(PROJECT), task: { projects: [LIB, TOOLS], branch: "stable/kilo" } },
    {
      what: "timer, and the task names a branch that is not there",
      shape: timer(PROJECT),
      task: { branch: "nowhere" },
      better: "zuul-cloner tests master in its place, without a word",
    },
    {
      what: "timer of a project without master",
      shape: timer(TRUNK),
      task: {},
      better: "zuul-cloner knows no other default branch than master",
    },
    {
      what: "change that a parameter-function sends to a branch, with its ZUUL_COMMIT",
      shape: change(2, 1, alone),
      changes: { ZUUL_REF: "stable/kilo" },
      task: {},
      better: "zuul-cloner does not look at ZUUL_COMMIT; which of the two is meant nobody can know",
    },
  ];
  return {
    gerritUrl: gerritDaemon.url,
    mergerUrl: mergerDaemon.url,
    nameOf: (commit) => names.get(commit) ?? commit,
    cases,
    stop: async () => {
      await Promise.all([gerritDaemon.stop(), mergerDaemon.stop()]);
      await rm(root, { recursive: true, force: true });
    },
  };
}
