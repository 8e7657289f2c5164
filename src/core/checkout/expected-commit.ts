import { isCommitId } from "./git-names.ts";
import { quoteForPeople } from "./git-url.ts";
import { BEHIND, type Place } from "./missing.ts";
import { CheckoutError, type CheckoutProblem } from "./problem.ts";
import type { Side } from "./ref-choices.ts";
import type { ReadParameter } from "./request.ts";

export interface ExpectedCommit {
  /** Of a commit, or of an annotated tag. */
  id: string;
  ref: string;
  /** What it means that the ref's history lacks it. */
  foreign: CheckoutProblem;
}

/** What it means that a branch is there, or not, which was deleted by what the request says. */
export interface Deletion {
  there: CheckoutProblem;
  gone: CheckoutProblem;
}

/**
 * The commit that Zuul names of its ref; `deleted` where it says that the branch is gone. A change is never to blame: Zuul names the commit of its
 * ref, and of an updated ref the merger has what Gerrit had when it looked last.
 */
export function expectCommit(read: ReadParameter, ref: string, { project, host }: Place): ExpectedCommit | "deleted" | undefined {
  const commit = read("ZUUL_COMMIT") ?? read("ZUUL_NEWREV");
  if (commit === undefined) return undefined;
  if (!isCommitId(commit)) {
    throw new CheckoutError("configuration", `ZUUL_COMMIT is ${quoteForPeople(commit)} - not the full id of a commit`);
  }
  if (/^0+$/.test(commit)) return "deleted";
  const short = commit.slice(0, 12);
  const foreign: ExpectedCommit["foreign"] =
    read("ZUUL_NEWREV") === undefined
      ? {
          fault: "configuration",
          message: `ZUUL_COMMIT ${short} is not in ZUUL_REF, look at the parameter-function - ${ref} of ${project} at ${host}`,
        }
      : { fault: "network", message: `${BEHIND} - ${ref} of ${project} lacks ZUUL_COMMIT ${short} at ${host}` };
  return { id: commit.toLowerCase(), ref, foreign };
}

/** `zuul enqueue-ref` without --newrev sends the same as Gerrit's event of a deletion; a merger keeps branches that Gerrit has no more. */
export function judgeDeletion(ref: string, side: Side): Deletion {
  const doubt = side === "merger" ? ", or deleted and the merger has it still" : "";
  return {
    there: { fault: "configuration", message: `ZUUL_NEWREV is all zeros and ${ref} is there - enqueued without --newrev${doubt}` },
    gone: { fault: "ref", message: `${ref} was deleted, there is nothing to test - see ignore-deletes in Zuul's layout` },
  };
}
