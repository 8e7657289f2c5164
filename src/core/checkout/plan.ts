import type { Parameters } from "../zuul/parameters.ts";
import { type GitUrl, isBelowUrl, parseGitUrl, quoteForPeople, renderGitUrl } from "./git-url.ts";

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
  /** A full name (`refs/...`) or `HEAD`, the remote's default branch. */
  ref: string;
  /** 40 or 64 lower-case hex digits; absent: the tip of `ref`. May name an annotated tag. */
  commit?: string;
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
 * Decides what to fetch for a request: `ZUUL_PROJECT` from `ZUUL_URL`, at `ZUUL_REF` and `ZUUL_COMMIT`. A build of a timer has neither;
 * then it is the tip of `ZUUL_BRANCH`, or of the remote's default branch. `allowedUrls`: prefixes one of which the URL must be below;
 * an empty list allows every URL of a known scheme.
 */
export function planCheckout(parameters: Parameters, allowedUrls: readonly string[]): PlannedCheckout {
  const read: ReadParameter = (name) => {
    const value = parameters.values.get(name)?.value ?? "";
    if (typeof value !== "string")
      throw new PlanError("configuration", `${name} is no text - look at the job's parameter-function in Zuul`);
    return value === "" ? undefined : value;
  };
  try {
    const project = decideProject(read);
    const url = decideUrl(read, project);
    if (!isAllowed(url, allowedUrls)) {
      throw new PlanError("configuration", `${url.host} is not allowed for checkouts - see checkout.allowedUrls in the configuration`);
    }
    const ref = decideRef(read);
    const commit = decideCommit(read, ref);
    return {
      ok: true,
      plan: {
        project,
        url: renderGitUrl(url, { credentials: true }),
        publicUrl: renderGitUrl(url, { credentials: false }),
        host: url.host,
        ref,
        ...(commit !== undefined && { commit }),
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
      throw new PlanError("configuration", `checkout.allowedUrls in the configuration - ${quoteForPeople(text)} ${prefix.problem}`);
    return prefix.url;
  });
  return prefixes.length === 0 || prefixes.some((prefix) => isBelowUrl(url, prefix));
}

/** Zuul sends `refs/zuul/<branch>/Z...` for changes and Gerrit's name for updated refs; for a branch that one may be short (`master`). */
function decideRef(read: ReadParameter): string {
  const name = read("ZUUL_REF") !== undefined ? "ZUUL_REF" : "ZUUL_BRANCH";
  const text = read(name);
  if (text === undefined) return "HEAD";
  const ref = name === "ZUUL_REF" && text.startsWith("refs/") ? text : `refs/heads/${text}`;
  if (!isRefName(ref)) throw new PlanError("configuration", `${name} is ${quoteForPeople(text)} - not a name that git takes for a ref`);
  return ref;
}

function decideCommit(read: ReadParameter, ref: string): string | undefined {
  const commit = read("ZUUL_COMMIT") ?? read("ZUUL_NEWREV");
  if (commit === undefined) return undefined;
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(commit)) {
    throw new PlanError("configuration", `ZUUL_COMMIT is ${quoteForPeople(commit)} - not the full id of a commit`);
  }
  if (/^0+$/.test(commit)) {
    throw new PlanError("ref", `${ref} was deleted - nothing to check out (ignore-deletes in Zuul's layout skips such builds)`);
  }
  return commit.toLowerCase();
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
