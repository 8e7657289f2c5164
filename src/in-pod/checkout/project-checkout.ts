import type { ProjectPlan } from "../../core/checkout/plan.ts";
import { CheckoutError } from "../../core/checkout/problem.ts";
import type { SubmoduleTerms } from "../../core/checkout/terms.ts";
import { FETCHED, type Fetched, type FetchWorld, fetchFirst, fetchRest, hasRef } from "./fetch.ts";
import { type Git, GitError, makeGit } from "./git.ts";
import { storeInCache } from "./git-cache.ts";
import { checkOutSubmodules, listBases } from "./submodules.ts";
import { makeDirectory } from "./workspace.ts";

/** What lies in a project's directory now. */
export interface CheckedOut {
  project: string;
  directory: string;
  /** The name by which it was fetched. */
  ref: string;
  /** Where from, without credentials. */
  url: string;
  commit: string;
  /** First line of what its author says: hostile text. */
  subject: string;
  /** Keeps what was fetched for later checkouts, where there is a cache. Never rejects. */
  keep(): Promise<void>;
}

export interface ProjectOptions extends FetchWorld {
  /** An existing directory; the project lands below it. */
  workspace: string;
  /** The test needs no submodules: they stay empty. */
  leavesSubmodules: boolean;
  submodules: SubmoduleTerms;
}

const MAX_SUBJECT = 200;

/**
 * Carries out a project's plan: an empty repository, a fetch of the one ref with its history and the tags in it, and of the branches as
 * `origin/*`; a detached checkout. Throws CheckoutError.
 */
export async function checkOutProject(plan: ProjectPlan, options: ProjectOptions): Promise<CheckedOut> {
  const { project, deletion, candidates } = plan;
  const [first] = candidates;
  if (first === undefined) throw CheckoutError.of(plan.missing);
  const directory = await makeDirectory(options.workspace, project);
  const git = makeGit(directory, first.source, options);
  await initialize(git, plan.commit?.id.length === 64 ? "sha256" : "sha1");
  if (deletion) throw CheckoutError.of((await hasRef(git, first.ref ?? "HEAD", options)) ? deletion.there : deletion.gone);

  const fetched = await fetchOfAnyHash(plan, git, options);
  const { source } = fetched.candidate;
  const there = git.of(source);
  const { id: commit, subject } = await resolveCommit(plan, there, fetched, options);
  const checkout = ["checkout", "--quiet", "--progress", "--detach", "--force", commit];
  const leave = () => leaveOrigin(git, source.publicUrl);
  // A partial clone fetches what it checks out from the origin that it knows. Else: each process of git takes as long to start as what it does
  // here, and a build waits for all of them.
  if (fetched.isPartial) {
    await there.reach(...checkout);
    await leave();
  } else await allOf([git.run(...checkout), leave()]);
  await checkOutSubmodules(there, options, listBases(source, options.submodules));
  return {
    ...{ project, directory, ref: fetched.ref, url: source.publicUrl, commit },
    subject: subject.slice(0, MAX_SUBJECT),
    async keep() {
      if (options.cacheDirectory !== undefined) await storeInCache(there, fetched.cached, options.cacheDirectory, options);
    },
  };
}

/** What the finished repository knows of where it comes from, in place of what the fetch has left. */
async function leaveOrigin(git: Git, url: string): Promise<void> {
  await git.run("config", "remote.origin.url", url);
  await git.run("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");
  await git.run("update-ref", "-d", FETCHED);
}

/** Resolves when all have; where some reject, when all have ended, with the first one's reason. */
async function allOf(works: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}

async function initialize(git: Git, hash: "sha1" | "sha256"): Promise<void> {
  await git.run("init", "--quiet", `--object-format=${hash}`);
}

/** Only ZUUL_COMMIT says beforehand which hash a repository has; of any other project the server does. */
async function fetchOfAnyHash(plan: ProjectPlan, git: Git, options: ProjectOptions): Promise<Fetched> {
  try {
    return await fetchFirst(plan, git, options);
  } catch (error) {
    if (!(error instanceof GitError) || error.absent !== "hash" || plan.commit) throw error;
    await git.run("init", "--quiet", "--object-format=sha256");
    return fetchFirst(plan, git, options);
  }
}

interface FoundCommit {
  id: string;
  /** First line of its message. */
  subject: string;
}

/**
 * The commit to check out: what the ref names, or the commit that Zuul does if it is in the ref's history. Something may be in the repository that
 * is not: from a branch, or from the cache.
 */
async function resolveCommit({ commit, project }: ProjectPlan, git: Git, fetched: Fetched, options: ProjectOptions): Promise<FoundCommit> {
  const { ref } = fetched;
  const tip = await read(git, FETCHED);
  if (tip === undefined) throw new CheckoutError("ref", `${ref} of ${project} holds no commit`);
  if (commit?.ref !== ref || commit.id === tip.id) return tip;
  if ((await resolve(git, commit.id)) === tip.id) return tip;
  // Where the last commits alone were fetched, Zuul's may be an older one.
  if (options.history.depth !== undefined && (await git.run("rev-parse", "--is-shallow-repository")).stdout.trim() === "true") {
    options.print(`${commit.id} is none of the last commits; fetching the rest`);
    await fetchRest(git, fetched, options);
  }
  const id = await resolve(git, commit.id);
  const isInRef = id !== undefined && (await git.ask("merge-base", "--is-ancestor", id, FETCHED)).code === 0;
  const wanted = isInRef ? await read(git, id) : undefined;
  if (wanted === undefined) throw CheckoutError.of(commit.foreign);
  return wanted;
}

/** The commit that is so named; undefined, without a word, where there is none. */
async function resolve(git: Git, name: string): Promise<string | undefined> {
  const resolved = await git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`);
  return resolved.code === 0 ? resolved.stdout.trim() : undefined;
}

/** The same for what is there, with its subject. */
async function read(git: Git, name: string): Promise<FoundCommit | undefined> {
  const { code, stdout } = await git.ask("log", "-1", "--format=%H%n%s", "--end-of-options", `${name}^{commit}`, "--");
  const [id = "", subject = ""] = stdout.split("\n");
  return code === 0 && id !== "" ? { id, subject: subject.trim() } : undefined;
}
