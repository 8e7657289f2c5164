/** Which refs a project may be checked out at, in zuul-cloner's order (`zuul/lib/cloner.py` of Zuul 2.6, `prepareRepo`). */

/** `merger`: below ZUUL_URL, what Zuul has prepared. `reviewed`: below `checkout.gitUrl`, what has passed review. */
export type Side = "merger" | "reviewed";

/** `ref` is a full name; without it the branch counts that the repository's HEAD names, if it names one. */
export interface RefChoice {
  side: Side;
  ref?: string;
}

export interface RefQuestion {
  /** The project is ZUUL_PROJECT. */
  isOwn: boolean;
  /** ZUUL_REF as a full name. */
  ref?: string | undefined;
  zuulBranch?: string | undefined;
  /** ZUUL_NEWREV is there: a branch or tag was updated. */
  isUpdate: boolean;
  /** What the task says of this project: `checkout.projectBranches`, else `checkout.branch`. */
  taskBranch?: string | undefined;
  hasGitUrl: boolean;
}

/** What zuul-cloner takes where a project lacks the branch. */
const FALLBACK_BRANCH = "master";

/** The first that is there counts. None: nothing says where the project is to be had. */
export function listRefChoices(question: RefQuestion): RefChoice[] {
  const choices = question.isOwn ? listOwn(question) : listOther(question);
  const seen = new Set<string>();
  return choices.filter(({ side, ref = "" }) => {
    const key = `${side} ${ref}`;
    return !seen.has(key) && seen.add(key);
  });
}

/**
 * ZUUL_PROJECT comes from the merger, which has just updated it. What Zuul names must be there: where zuul-cloner goes on to a branch when the
 * ref of a change is gone, a build would test something else than it was asked to. A build without a ref gets the reviewed side's branch and no
 * other (decision 12).
 */
function listOwn({ ref, zuulBranch, isUpdate, taskBranch, hasGitUrl }: RefQuestion): RefChoice[] {
  if (ref === undefined) {
    const branch = taskBranch ?? zuulBranch;
    if (branch !== undefined) return listTips(branch, hasGitUrl ? "reviewed" : "merger");
    return [hasGitUrl ? { side: "reviewed" } : { side: "merger", ref: `${MERGERS_BRANCHES}HEAD` }];
  }
  const asSent: RefChoice = { side: "merger", ref };
  if (isUpdate || taskBranch === undefined || taskBranch === zuulBranch) return [asSent];
  if (replaceBranch(ref, zuulBranch, taskBranch) === undefined) return [asSent]; // a tag, or what a parameter-function chose
  return [taskBranch, FALLBACK_BRANCH].flatMap((branch) => [
    ...listReplaced(ref, zuulBranch, branch, "merger"),
    ...listTips(branch, "merger"),
  ]);
}

/** Any other project: what the build set holds of it, else a branch of the reviewed side, as the merger's may be old. */
function listOther({ ref, zuulBranch, isUpdate, taskBranch, hasGitUrl }: RefQuestion): RefChoice[] {
  const indicated = taskBranch ?? zuulBranch;
  const branches = indicated === undefined ? [FALLBACK_BRANCH] : [indicated, FALLBACK_BRANCH];
  const side = ref?.startsWith(ZUUL_REFS) ? "merger" : "reviewed";
  const isReplaced = ref !== undefined && (side === "merger" || (!isUpdate && zuulBranch !== undefined));
  const choices = branches.flatMap((branch): RefChoice[] => [
    ...(isReplaced ? listReplaced(ref, zuulBranch, branch, side) : []),
    ...listTips(branch, "reviewed"),
  ]);
  return [...choices, { side: "reviewed" } as const].filter((choice) => hasGitUrl || choice.side === "merger");
}

const ZUUL_REFS = "refs/zuul/";
const MERGERS_BRANCHES = "refs/remotes/origin/";

/** Where a branch is: in the merger's clone as it came from Gerrit. Only what is no clone, as a mirror, has its branches below `refs/heads` alone. */
function listTips(branch: string, side: Side): RefChoice[] {
  const heads = { side, ref: `refs/heads/${branch}` };
  return side === "merger" ? [{ side, ref: `${MERGERS_BRANCHES}${branch}` }, heads] : [heads];
}

/** A ref in which no branch is to be replaced, as a tag's, is that of any branch. */
function listReplaced(ref: string, from: string | undefined, to: string, side: Side): RefChoice[] {
  return [{ side, ref: replaceBranch(ref, from, to) ?? ref }];
}

/**
 * The same build set's ref of another branch, or the other branch. zuul-cloner replaces the branch wherever it stands, as a regular expression:
 * for a branch `r` nothing of `refs/` is left.
 */
function replaceBranch(ref: string, from: string | undefined, to: string): string | undefined {
  if (ref.startsWith(ZUUL_REFS)) return `${ZUUL_REFS}${to}/${ref.slice(ref.lastIndexOf("/") + 1)}`;
  return from !== undefined && ref === `refs/heads/${from}` ? `refs/heads/${to}` : undefined;
}
