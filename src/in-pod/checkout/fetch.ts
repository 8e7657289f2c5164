import type { ProjectPlan, RefCandidate } from "../../core/checkout/plan.ts";
import { CheckoutError } from "../../core/checkout/problem.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import { type Git, GitError, type GitWorld } from "./git.ts";

/** Where git keeps what was fetched until it is checked out; the finished repository has a detached HEAD, tags and `origin`. */
export const FETCHED = "refs/turbo-hipster/fetched";

export const TRIES = 3;
const FIRST_DELAY_MS = 2_000;
const LONGEST_DELAY_MS = 20_000;

/** What has been fetched, and by which name. */
export interface Fetched {
  candidate: RefCandidate;
  ref: string;
}

/** Fetches the first of the plan's candidates that is there to `FETCHED`, with the branches of its repository as `origin/*`. */
export async function fetchFirst({ candidates, missing }: ProjectPlan, git: Git, world: GitWorld): Promise<Fetched> {
  for (const candidate of candidates) {
    const there = git.of(candidate.source);
    try {
      const ref = candidate.ref ?? (await readDefaultBranch(there, world));
      if (ref === undefined) continue;
      world.print(`fetching ${ref} from ${candidate.source.publicUrl}`);
      await fetchFrom(there, [`+${ref}:${FETCHED}`], world);
      return { candidate, ref };
    } catch (error) {
      const absent = error instanceof GitError ? error.absent : undefined;
      if (absent === undefined || (absent === "repository" && !candidate.isOptional)) throw error;
      if (candidates.length > 1) world.print(`${candidate.source.publicUrl} has no ${absent === "ref" ? candidate.ref : absent}`);
    }
  }
  throw CheckoutError.of(missing);
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

/** Fetches the branches of git's source as `origin/*`, and what else the refspecs say, or nothing. */
export async function fetchFrom(git: Git, refspecs: readonly string[], world: GitWorld): Promise<void> {
  const branches = "+refs/heads/*:refs/remotes/origin/*";
  await withRetries(world, () =>
    // Not shallow: `git describe` and pbr need the history. A ref with a destination brings the tags in its history along.
    git.reach("fetch", "--progress", "--no-write-fetch-head", "--end-of-options", git.source.url, ...refspecs, branches),
  );
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
