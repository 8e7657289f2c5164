import type { Parameters } from "../zuul/parameters.ts";
import { type GitUrl, isBelowUrl, parseGitUrl, quoteForPeople, quoteUrlForPeople, renderGitUrl } from "./git-url.ts";

/** What was at fault when there is no checkout. `network` stands for all that may be gone at the next try; it never blames the change. */
export type CheckoutFault = "network" | "ref" | "configuration";

/**
 * How `turbo-hipster checkout` ends; the verdict table reads these from the pod's status. From sysexits.h (EX_UNAVAILABLE, EX_DATAERR,
 * EX_CONFIG), because no shell, signal or crash produces them. `stopped` is 128 + SIGTERM, as a shell reports it.
 */
export const CHECKOUT_EXIT_CODES = { ok: 0, network: 69, ref: 65, configuration: 78, stopped: 143 } as const;

/** `message` is for the people who read the result; the command cleans it to the rules of result texts before it leaves. */
export interface CheckoutProblem {
  fault: CheckoutFault;
  message: string;
}

export interface CheckoutPlan {
  /** Zuul's name of the project, and its directory below the workspace (`projectDirectory`). */
  project: string;
  /** What git fetches from; may hold credentials, so it is never printed. */
  url: string;
  /** The same without credentials: for `origin`, and for people. */
  publicUrl: string;
  host: string;
  /** Full names (`refs/...`), of which the first that is there counts. */
  refs: readonly string[];
  /** 40 or 64 lower-case hex digits; absent: the tip of the ref. May name an annotated tag. */
  commit?: string;
  /** What it means when none of `refs` is there. */
  missing: CheckoutProblem;
  /** What it means when the commit is not in the history of the ref. */
  foreign: CheckoutProblem;
}

/** What is said beside the request of what may be checked out. */
export interface CheckoutTerms {
  /** Prefixes one of which the URL must be below; none allow every URL of a known scheme. */
  allowedUrls: readonly string[];
  /** The task's `checkout.branch`, for builds that name no ref. */
  branch?: string | undefined;
}

type PlannedCheckout = { ok: true; plan: CheckoutPlan } | { ok: false; problem: CheckoutProblem };

/** Text of a parameter: absent, null (Zuul's word for "unset") and "" are undefined. Throws PlanError for anything that is no text. */
type ReadParameter = (name: string) => string | undefined;

/** Carries a problem out of the steps below; never leaves this file. */
class PlanError extends Error {
  readonly problem: CheckoutProblem;

  constructor(fault: CheckoutFault, message: string) {
    super(message);
    this.problem = { fault, message };
  }
}

/**
 * Decides what to fetch for a request: `ZUUL_PROJECT` from `ZUUL_URL`, at `ZUUL_REF` and `ZUUL_COMMIT`. A build of a timer has neither, and
 * gets the tip of a branch, see `decideBranch`.
 */
export function planCheckout(parameters: Parameters, { allowedUrls, branch }: CheckoutTerms): PlannedCheckout {
  const read: ReadParameter = (name) => {
    const value = parameters.values.get(name)?.value ?? "";
    if (typeof value !== "string")
      throw new PlanError("configuration", `${name} is no text - look at the parameter-function of the job in Zuul`);
    return value === "" ? undefined : value;
  };
  try {
    const project = decideProject(read);
    const url = decideUrl(read, project);
    if (!isAllowed(url, allowedUrls)) {
      throw new PlanError("configuration", `${url.host} is not allowed for checkouts - see checkout.allowedUrls in the configuration`);
    }
    const place = { project, host: url.host };
    const chosen = read("ZUUL_REF") === undefined ? decideBranch(read, branch, place) : decideRef(read, place);
    const ref = chosen.refs[0] ?? "";
    const commit = decideCommit(read, ref);
    return {
      ok: true,
      plan: {
        ...place,
        url: renderGitUrl(url, { credentials: true }),
        publicUrl: renderGitUrl(url, { credentials: false }),
        ...chosen,
        ...(commit !== undefined && { commit }),
        foreign: judgeForeignCommit(read, commit ?? "", { ...place, ref }),
      },
    };
  } catch (error) {
    if (error instanceof PlanError) return { ok: false, problem: error.problem };
    throw error;
  }
}

const MAX_PROJECT_LENGTH = 255;
const PROJECT_SEGMENT = /^[A-Za-z0-9._+~@=,][A-Za-z0-9._+~@=,-]*$/;

/**
 * Where a project lands below the workspace, as zuul-cloner has it: at its own name. Undefined for a name that would leave the workspace,
 * enter a `.git` or pass for an option.
 */
export function projectDirectory(project: string): string | undefined {
  if (project.length > MAX_PROJECT_LENGTH) return undefined;
  const isSafe = project.split("/").every((segment) => PROJECT_SEGMENT.test(segment) && !/^(\.{1,2}|\.git)$/i.test(segment));
  return isSafe ? project : undefined;
}

function decideProject(read: ReadParameter): string {
  const project = read("ZUUL_PROJECT");
  if (project === undefined) throw new PlanError("configuration", "ZUUL_PROJECT is missing - without it there is nothing to check out");
  if (projectDirectory(project) === undefined) {
    throw new PlanError("configuration", `ZUUL_PROJECT is ${quoteForPeople(project)} - not a project name that can be checked out`);
  }
  return project;
}

function decideUrl(read: ReadParameter, project: string): GitUrl {
  const text = read("ZUUL_URL");
  if (text === undefined) throw new PlanError("configuration", "ZUUL_URL is missing - set zuul_url in the merger section of zuul.conf");
  const base = parseGitUrl(text);
  if (!base.ok) throw new PlanError("configuration", `ZUUL_URL ${base.problem}`);
  return { ...base.url, path: `${base.url.path}/${project}` };
}

function isAllowed(url: GitUrl, allowedUrls: readonly string[]): boolean {
  const prefixes = allowedUrls.map((text) => {
    const prefix = parseGitUrl(text);
    if (!prefix.ok)
      throw new PlanError("configuration", `checkout.allowedUrls in the configuration - ${quoteUrlForPeople(text)} ${prefix.problem}`);
    return prefix.url;
  });
  return prefixes.length === 0 || prefixes.some((prefix) => isBelowUrl(url, prefix));
}

/** What a merger says of an update that failed is in its log alone (`zuul/merger/merger.py`, `updateRepo`). */
const BEHIND = "the merger is behind, see its log";

interface Place {
  project: string;
  host: string;
}

/** Zuul sends `refs/zuul/<branch>/Z...` for changes and Gerrit's name for updated refs; for a branch that one may be short (`master`). */
function decideRef(read: ReadParameter, { project, host }: Place): Pick<CheckoutPlan, "refs" | "missing"> {
  const text = read("ZUUL_REF") ?? "";
  const ref = text.startsWith("refs/") ? text : `refs/heads/${text}`;
  requireRefName(ref, "ZUUL_REF", text);
  if (ref.startsWith("refs/zuul/")) {
    return { refs: [ref], missing: { fault: "ref", message: `${ref} does not exist in ${project} at ${host}` } };
  }
  // No change names it: it is a branch or tag that was updated, or what a parameter-function chose.
  const message =
    read("ZUUL_NEWREV") === undefined
      ? `ZUUL_REF does not exist, look at the parameter-function - ${ref} of ${project} at ${host}`
      : `${BEHIND} - ${ref} of ${project} does not exist at ${host}`;
  return { refs: [ref], missing: { fault: "configuration", message } };
}

/**
 * For a build that names no ref: the tip of the branch that the task names, or `ZUUL_BRANCH`, or Gerrit's default branch, all as the merger has
 * fetched them. Its HEAD is never taken: that is whatever change it has merged last, and anybody can upload one (`zuul/merger/merger.py`,
 * `Repo.checkout`). Only what is no clone, as a mirror, has its branches below `refs/heads` alone.
 */
function decideBranch(read: ReadParameter, ofTask: string | undefined, { project, host }: Place): Pick<CheckoutPlan, "refs" | "missing"> {
  const branch = ofTask ?? read("ZUUL_BRANCH");
  if (branch === undefined) {
    const message = `a build without ZUUL_REF names no branch of ${project} - set checkout.branch in the TestTask`;
    return { refs: ["refs/remotes/origin/HEAD"], missing: { fault: "configuration", message } };
  }
  const name = ofTask === undefined ? "ZUUL_BRANCH" : "checkout.branch";
  const refs = [`refs/remotes/origin/${branch}`, `refs/heads/${branch}`];
  for (const ref of refs) requireRefName(ref, name, branch);
  return { refs, missing: { fault: "configuration", message: `${project} at ${host} has no branch ${branch} - look at ${name}` } };
}

function requireRefName(ref: string, name: string, text: string): void {
  if (!isRefName(ref)) throw new PlanError("configuration", `${name} is ${quoteForPeople(text)} - not a name that git takes for a ref`);
}

function decideCommit(read: ReadParameter, ref: string): string | undefined {
  const commit = read("ZUUL_COMMIT") ?? read("ZUUL_NEWREV");
  if (commit === undefined) return undefined;
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(commit)) {
    throw new PlanError("configuration", `ZUUL_COMMIT is ${quoteForPeople(commit)} - not the full id of a commit`);
  }
  if (/^0+$/.test(commit)) {
    // `zuul enqueue-ref` without --newrev sends the same as Gerrit's event of a deletion.
    throw new PlanError("ref", `ZUUL_NEWREV is all zeros - ${ref} was deleted (see ignore-deletes), or enqueued without --newrev`);
  }
  return commit.toLowerCase();
}

/** A change is never to blame: Zuul names the commit of its ref, and of an updated ref the merger has what Gerrit had when it looked last. */
function judgeForeignCommit(read: ReadParameter, commit: string, { project, host, ref }: Place & { ref: string }): CheckoutProblem {
  const id = commit.slice(0, 12);
  const message =
    read("ZUUL_NEWREV") === undefined
      ? `ZUUL_COMMIT ${id} is not in ZUUL_REF, look at the parameter-function - ${ref} of ${project} at ${host}`
      : `${BEHIND} - ${ref} of ${project} lacks ZUUL_COMMIT ${id} at ${host}`;
  return { fault: "configuration", message };
}

const MAX_REF_LENGTH = 1024;

/** `git help check-ref-format`, for a full name. */
export function isRefName(ref: string): boolean {
  return (
    ref.startsWith("refs/") &&
    ref.length <= MAX_REF_LENGTH &&
    ref.isWellFormed() &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids exactly these
    !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{/.test(ref) &&
    !ref.endsWith(".") &&
    ref.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"))
  );
}
