import type { ProjectPlan } from "../../core/checkout/plan.ts";
import { CheckoutError } from "../../core/checkout/problem.ts";
import type { SubmoduleTerms } from "../../core/checkout/terms.ts";
import { FETCHED, type Fetched, fetchFirst, hasRef } from "./fetch.ts";
import { type Git, GitError, type GitWorld, makeGit } from "./git.ts";
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
}

export interface ProjectOptions extends GitWorld {
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
  const commit = await resolveCommit(plan, git, fetched);
  await git.run("checkout", "--quiet", "--progress", "--detach", "--force", commit);
  await checkOutSubmodules(git, options, listBases(source, options.submodules));
  await git.run("remote", "add", "origin", source.publicUrl);
  await git.run("update-ref", "-d", FETCHED);
  const subject = await git.run("log", "-1", "--format=%s", commit);
  return { project, directory, ref: fetched.ref, url: source.publicUrl, commit, subject: subject.stdout.trim().slice(0, MAX_SUBJECT) };
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

/** The commit to check out. The repository was empty before the fetch, so what is in it now is in the history of the ref or of a branch. */
async function resolveCommit({ commit, project }: ProjectPlan, git: Git, { ref }: Fetched): Promise<string> {
  const wanted = commit?.ref === ref ? commit : undefined;
  const resolved = await git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", `${wanted?.id ?? FETCHED}^{commit}`);
  if (wanted === undefined && resolved.code !== 0) throw new CheckoutError("ref", `${ref} of ${project} holds no commit`);
  const id = resolved.stdout.trim();
  if (wanted === undefined) return id;
  const isInRef = resolved.code === 0 && (await git.ask("merge-base", "--is-ancestor", id, FETCHED)).code === 0;
  if (!isInRef) throw CheckoutError.of(wanted.foreign);
  return id;
}
