import type { GitFailure } from "../../core/checkout/git-failure.ts";
import type { ProjectPlan, RefCandidate } from "../../core/checkout/plan.ts";
import { CheckoutError } from "../../core/checkout/problem.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import { type Git, GitError, GitSilence, type GitWorld } from "./git.ts";
import { type Cached, forgetCached, loadCached } from "./git-cache.ts";

/** Where git keeps what was fetched until it is checked out; the finished repository has a detached HEAD, tags and `origin`. */
export const FETCHED = "refs/turbo-hipster/fetched";

export const TRIES = 3;
const FIRST_DELAY_MS = 2_000;
const LONGEST_DELAY_MS = 20_000;

/** What has been fetched, and by which name. */
export interface Fetched {
  candidate: RefCandidate;
  ref: string;
  /** Files may be missing, which the source has. */
  isPartial: boolean;
  cached: Cached;
}

export interface FetchWorld extends GitWorld {
  history: History;
  /** Where what was fetched is kept for later checkouts. */
  cacheDirectory?: string | undefined;
}

/** How much is fetched of the past; without either all of it. */
export interface History {
  /** So many commits of the ref, and no other branches. */
  depth?: number;
  /** Files of other commits than the one that is checked out are fetched when they are asked for. */
  filter?: "blob:none";
}

/** Fetches the first of the plan's candidates that is there to `FETCHED`, with the branches of its repository as `origin/*`. */
export async function fetchFirst({ candidates, missing }: ProjectPlan, git: Git, world: FetchWorld): Promise<Fetched> {
  for (const candidate of candidates) {
    const there = git.of(candidate.source);
    try {
      const ref = candidate.ref ?? (await readDefaultBranch(there, world));
      if (ref === undefined) continue;
      world.print(`fetching ${ref} from ${candidate.source.publicUrl}`);
      // Not read for nothing: it may be large.
      if (world.cacheDirectory !== undefined && candidates.length > 1 && !(await hasRef(there, ref, world)))
        throw new GitError(noRef(candidate, ref));
      const cached = await loadCached(there, world.cacheDirectory, world);
      try {
        const { isPartial } = await fetchFrom(there, [`+${ref}:${FETCHED}`], world);
        return { candidate, ref, isPartial, cached };
      } finally {
        if (cached.kibibytes > 0) await forgetCached(there);
      }
    } catch (error) {
      const absent = error instanceof GitError ? error.absent : undefined;
      if (absent === undefined || (absent === "repository" && !candidate.isOptional)) throw error;
      if (candidates.length > 1) world.print(`${candidate.source.publicUrl} has no ${absent === "ref" ? candidate.ref : absent}`);
    }
  }
  throw CheckoutError.of(missing);
}

function noRef({ source: { project, host } }: RefCandidate, ref: string): GitFailure {
  return { fault: "ref", absent: "ref", message: `${ref} does not exist in ${project} at ${host}` };
}

/** Only a HEAD that is a branch's name: where it is a commit, it is what somebody has looked at last. */
async function readDefaultBranch(git: Git, world: GitWorld): Promise<string | undefined> {
  const listed = await withRetries(world, () => git.reach("ls-remote", "--symref", "--end-of-options", git.source.url, "HEAD"));
  return /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(listed.stdout)?.[1];
}

/** Whether the repository has the ref. */
export async function hasRef(git: Git, ref: string, world: GitWorld): Promise<boolean> {
  const listed = await withRetries(world, () => git.reach("ls-remote", "--end-of-options", git.source.url, ref));
  return listed.stdout.split("\n").some((line) => line.endsWith(`\t${ref}`));
}

const BRANCHES = "+refs/heads/*:refs/remotes/origin/*";
const FETCH = ["fetch", "--progress", "--no-write-fetch-head"];

/**
 * Fetches what the refspecs say and, unless only the last commits are wanted, the branches of git's source as `origin/*`. A server that has no part
 * of the history to give is asked for all of it. A ref with a destination brings the tags in its history along.
 */
export async function fetchFrom(git: Git, refspecs: readonly string[], world: FetchWorld): Promise<{ isPartial: boolean }> {
  const { depth, filter } = world.history;
  const { url, publicUrl } = git.source;
  const reach = (...args: string[]) => withRetries(world, () => git.reach(...FETCH, ...args));
  if (depth !== undefined && refspecs.length > 0) {
    try {
      await reach(`--depth=${depth}`, "--end-of-options", url, ...refspecs);
      return { isPartial: false };
    } catch (error) {
      if (!(error instanceof GitError) || error.absent !== "shallow") throw error;
      world.print(`${publicUrl} gives no part of its history; fetching all of it`);
    }
  }
  // Whom git asks later is written down in the repository, so a login in the URL would be.
  if (filter === undefined || refspecs.length === 0 || url !== publicUrl) {
    await reach("--end-of-options", url, ...refspecs, BRANCHES);
    return { isPartial: false };
  }
  await git.run("config", "remote.origin.url", publicUrl);
  const isTaken = await withRetries(world, () =>
    git.reach(...FETCH, `--filter=${filter}`, "--end-of-options", "origin", ...refspecs, BRANCHES).then(() => true, ifSilent),
  );
  if (!isTaken) {
    world.print(`${publicUrl} does not take the filter; fetching everything`);
    for (const key of PARTIAL) await git.ask("config", "--unset-all", key);
    await reach("--end-of-options", url, ...refspecs, BRANCHES);
  }
  return { isPartial: isTaken };
}

/** What a fetch with a filter writes into the repository's configuration. */
const PARTIAL = ["extensions.partialClone", "remote.origin.promisor", "remote.origin.partialclonefilter"];

/** git 2.39 never ends a fetch with a filter from a server of files alone; others that know none say so, and give everything. */
function ifSilent(error: unknown): boolean {
  if (error instanceof GitSilence) return false;
  throw error;
}

/** Fetches a commit by its id, with as much of the past as is wanted where that is not all. Some servers give only what a ref names. */
export async function fetchCommit(git: Git, commit: string, world: FetchWorld): Promise<void> {
  const { depth } = world.history;
  const part = depth === undefined ? [] : [`--depth=${depth}`];
  await withRetries(world, () => git.reach(...FETCH, ...part, "--end-of-options", git.source.url, commit));
}

/** Fetches what a fetch of the last commits has left out. */
export async function fetchRest(git: Git, { ref }: Pick<Fetched, "ref">, world: FetchWorld): Promise<void> {
  await withRetries(world, () => git.reach(...FETCH, "--unshallow", "--end-of-options", git.source.url, `+${ref}:${FETCHED}`, BRANCHES));
}

/** Tries again what the network has failed. */
export async function withRetries<T>({ clock, signal, print }: GitWorld, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof CheckoutError) || error.problem.fault !== "network" || tries >= TRIES) throw error;
      const delayMs = Math.round(backoffMs(tries - 1, FIRST_DELAY_MS, LONGEST_DELAY_MS));
      print(`${error.problem.message}; trying again in ${(delayMs / 1000).toFixed(1)} s (${tries + 1} of ${TRIES})`);
      await clock.sleep(delayMs, signal);
    }
  }
}
