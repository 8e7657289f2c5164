import type { Parameters } from "../zuul/parameters.ts";
import { isCommitId, isRefName, projectDirectory } from "./git-names.ts";
import { type GitUrl, quoteForPeople } from "./git-url.ts";
import { CheckoutError, type CheckoutProblem } from "./problem.ts";
import { listRefChoices, type RefChoice, type Side } from "./ref-choices.ts";
import { type AllowedUrls, belowUrl, type GitSource, makeSource, readAllowedUrls, readGitUrl } from "./sources.ts";

/** What is said beside the request of what may and shall be checked out. */
export interface CheckoutTerms {
  /** Prefixes one of which each URL must be below; none allow every URL of a known scheme. */
  allowedUrls: readonly string[];
  /** There are credentials, so that the URLs must be limited. */
  hasCredentials?: boolean | undefined;
  /** Fields of the task's `checkout`. */
  gitUrl?: string | undefined;
  projects?: readonly string[] | undefined;
  branch?: string | undefined;
  projectBranches?: Readonly<Record<string, string>> | undefined;
}

export interface RefCandidate {
  source: GitSource;
  /** A full name (`refs/...`); without it the branch counts that the repository's HEAD names, if it names one. */
  ref?: string;
  /** A repository that is not there is as a ref that is not. */
  isOptional: boolean;
}

export interface ProjectPlan {
  /** Zuul's name of it, and its directory below the workspace. */
  project: string;
  /** The first that is there is checked out. Never empty. */
  candidates: readonly RefCandidate[];
  /** What it means when none of them is there. */
  missing: CheckoutProblem;
  /** What is checked out of the ref that Zuul names, instead of its tip. `id` may name an annotated tag. */
  commit?: { id: string; ref: string; foreign: CheckoutProblem };
  /** There is nothing to check out, for a reason that hangs on whether the first candidate is there. */
  deletion?: { there: CheckoutProblem; gone: CheckoutProblem };
}

/** What is said of submodules beside the commit that has them. */
export interface SubmoduleTerms {
  allowed: AllowedUrls;
  /** `checkout.gitUrl`. */
  gitUrl: GitUrl | undefined;
}

export interface CheckoutPlan {
  /** ZUUL_PROJECT first. */
  projects: readonly [ProjectPlan, ...ProjectPlan[]];
  submodules: SubmoduleTerms;
}

type PlannedCheckout = { ok: true; plan: CheckoutPlan } | { ok: false; problem: CheckoutProblem };

/** Text of a parameter: absent, null (Zuul's word for "unset") and "" are undefined. Throws CheckoutError for anything that is no text. */
type ReadParameter = (name: string) => string | undefined;

/** Decides what to fetch for a request: ZUUL_PROJECT, and beside it the projects of the task. */
export function planCheckout(parameters: Parameters, terms: CheckoutTerms): PlannedCheckout {
  const read: ReadParameter = (name) => {
    const value = parameters.values.get(name)?.value ?? "";
    if (typeof value !== "string")
      throw new CheckoutError("configuration", `${name} is no text - look at the parameter-function of the job in Zuul`);
    return value === "" ? undefined : value;
  };
  try {
    const own = readOwnProject(read);
    const { makeSourceOf, submodules } = readSides(read, terms);
    const others = new Set(terms.projects).difference(new Set([own]));
    const plans = [...others].map((project) => planProject(project, { isOwn: false, read, terms, makeSourceOf }));
    return { ok: true, plan: { projects: [planProject(own, { isOwn: true, read, terms, makeSourceOf }), ...plans], submodules } };
  } catch (error) {
    if (error instanceof CheckoutError) return { ok: false, problem: error.problem };
    throw error;
  }
}

/** Where ZUUL_PROJECT lands; undefined when the request names none that can be checked out. */
export function ownDirectory(parameters: Parameters): string | undefined {
  const project = parameters.values.get("ZUUL_PROJECT")?.value;
  return typeof project === "string" ? projectDirectory(project) : undefined;
}

function readOwnProject(read: ReadParameter): string {
  const project = read("ZUUL_PROJECT");
  if (project === undefined) {
    throw new CheckoutError("configuration", "ZUUL_PROJECT is missing - without it there is nothing to check out");
  }
  if (projectDirectory(project) === undefined) {
    throw new CheckoutError("configuration", `ZUUL_PROJECT is ${quoteForPeople(project)} - not a project name that can be checked out`);
  }
  return project;
}

type MakeSourceOf = (side: Side, project: string) => GitSource;

const SETTINGS = { merger: "zuul_url in zuul.conf", reviewed: "checkout.gitUrl" } as const;

function readSides(
  read: ReadParameter,
  { allowedUrls, hasCredentials, gitUrl }: CheckoutTerms,
): { makeSourceOf: MakeSourceOf; submodules: SubmoduleTerms } {
  const text = read("ZUUL_URL");
  if (text === undefined) throw new CheckoutError("configuration", "ZUUL_URL is missing - set zuul_url in the merger section of zuul.conf");
  const bases: Record<Side, GitUrl | undefined> = {
    merger: readGitUrl(text, "ZUUL_URL"),
    reviewed: gitUrl === undefined ? undefined : readGitUrl(gitUrl, "checkout.gitUrl"),
  };
  const allowed = readAllowedUrls(allowedUrls);
  if (hasCredentials && allowed.length === 0) {
    throw new CheckoutError("configuration", "credentials need checkout.allowedUrls in the configuration - a request names the URL");
  }
  const makeSourceOf: MakeSourceOf = (side, project) => {
    const base = bases[side];
    if (base === undefined) throw new CheckoutError("configuration", "checkout.gitUrl is missing");
    return makeSource(belowUrl(base, project), project, SETTINGS[side], allowed);
  };
  return { makeSourceOf, submodules: { allowed, gitUrl: bases.reviewed } };
}

interface Planning {
  isOwn: boolean;
  read: ReadParameter;
  terms: CheckoutTerms;
  makeSourceOf: MakeSourceOf;
}

function planProject(project: string, planning: Planning): ProjectPlan {
  const { isOwn, read, terms, makeSourceOf } = planning;
  if (projectDirectory(project) === undefined) {
    throw new CheckoutError("configuration", `checkout.projects has ${quoteForPeople(project)} - not a project name`);
  }
  const ofProject = ownValue(terms.projectBranches ?? {}, project);
  const taskBranch = ofProject ?? terms.branch;
  const zuulBranch = read("ZUUL_BRANCH");
  const ref = readRef(read);
  const choices = listRefChoices({
    isOwn,
    ref,
    zuulBranch,
    isUpdate: read("ZUUL_NEWREV") !== undefined,
    taskBranch,
    hasGitUrl: terms.gitUrl !== undefined,
  });
  const setting = ofProject === undefined ? "checkout.branch" : "checkout.projectBranches";
  const branch = taskBranch === undefined ? { name: "ZUUL_BRANCH", text: zuulBranch } : { name: setting, text: taskBranch };
  for (const choice of choices) requireRefName(choice, branch);
  const candidates = choices.map(({ side, ref: name }) => ({
    source: makeSourceOf(side, project),
    ...(name === undefined ? {} : { ref: name }),
    isOptional: !isOwn && side === "merger",
  }));
  const [first] = candidates;
  if (first === undefined) {
    throw new CheckoutError("configuration", `checkout.gitUrl is missing - it says where the branches of ${project} are`);
  }
  const place = { project, host: first.source.host };
  const missing = judgeMissing(isOwn ? { read, ref, branch, place, isTaskBranch: taskBranch !== undefined } : { place, branch });
  const plan: ProjectPlan = { project, candidates, missing };
  return isOwn && ref !== undefined ? { ...plan, ...decideCommit(read, ref, { ...planning, place }) } : plan;
}

/** Zuul sends `refs/zuul/<branch>/Z...` for changes and Gerrit's name for updated refs; for a branch that one may be short (`master`). */
function readRef(read: ReadParameter): string | undefined {
  const text = read("ZUUL_REF");
  if (text === undefined) return undefined;
  const ref = text.startsWith("refs/") ? text : `refs/heads/${text}`;
  if (!isRefName(ref)) throw badRefName("ZUUL_REF", text);
  return ref;
}

interface NamedBranch {
  name: string;
  text: string | undefined;
}

function requireRefName({ ref }: RefChoice, { name, text = "" }: NamedBranch): void {
  if (ref !== undefined && !isRefName(ref)) throw badRefName(name, text);
}

function badRefName(name: string, text: string): CheckoutError {
  return new CheckoutError("configuration", `${name} is ${quoteForPeople(text)} - not a name that git takes for a ref`);
}

/** What a merger says of an update that failed is in its log alone (`zuul/merger/merger.py`, `updateRepo`). */
const BEHIND = "the merger is behind, see its log";

interface Place {
  project: string;
  host: string;
}

/** `read` is there for ZUUL_PROJECT. */
interface Absence {
  place: Place;
  branch: NamedBranch;
  read?: ReadParameter;
  ref?: string | undefined;
  isTaskBranch?: boolean;
}

function judgeMissing({ place: { project, host }, branch, read, ref, isTaskBranch }: Absence): CheckoutProblem {
  const configuration = (message: string): CheckoutProblem => ({ fault: "configuration", message });
  if (read === undefined) return configuration(`${project} has none of the branches for this build - look at checkout.branch and gitUrl`);
  if (ref === undefined) {
    if (branch.text === undefined)
      return configuration(`a build without ZUUL_REF names no branch of ${project} - set checkout.branch in the TestTask`);
    return configuration(`${project} at ${host} has no branch ${branch.text} - look at ${branch.name}`);
  }
  if (read("ZUUL_NEWREV") !== undefined) return { fault: "network", message: `${BEHIND} - ${ref} of ${project} does not exist at ${host}` };
  if (!ref.startsWith("refs/zuul/")) {
    return configuration(`ZUUL_REF does not exist, look at the parameter-function - ${ref} of ${project} at ${host}`);
  }
  if (isTaskBranch) return configuration(`${project} at ${host} has no branch ${branch.text} and no master - look at ${branch.name}`);
  return { fault: "ref", message: `${ref} does not exist in ${project} at ${host}` };
}

/** A change is never to blame: Zuul names the commit of its ref, and of an updated ref the merger has what Gerrit had when it looked last. */
function decideCommit(
  read: ReadParameter,
  ref: string,
  { terms, makeSourceOf, place: { project, host } }: Planning & { place: Place },
): Partial<ProjectPlan> {
  const commit = read("ZUUL_COMMIT") ?? read("ZUUL_NEWREV");
  if (commit === undefined) return {};
  if (!isCommitId(commit)) {
    throw new CheckoutError("configuration", `ZUUL_COMMIT is ${quoteForPeople(commit)} - not the full id of a commit`);
  }
  if (/^0+$/.test(commit)) {
    const side = terms.gitUrl === undefined ? "merger" : "reviewed";
    return { candidates: [{ source: makeSourceOf(side, project), ref, isOptional: false }], deletion: judgeDeletion(ref, side) };
  }
  const short = commit.slice(0, 12);
  const foreign: CheckoutProblem =
    read("ZUUL_NEWREV") === undefined
      ? {
          fault: "configuration",
          message: `ZUUL_COMMIT ${short} is not in ZUUL_REF, look at the parameter-function - ${ref} of ${project} at ${host}`,
        }
      : { fault: "network", message: `${BEHIND} - ${ref} of ${project} lacks ZUUL_COMMIT ${short} at ${host}` };
  return { commit: { id: commit.toLowerCase(), ref, foreign } };
}

/** `zuul enqueue-ref` without --newrev sends the same as Gerrit's event of a deletion; a merger keeps branches that Gerrit has no more. */
function judgeDeletion(ref: string, side: Side): NonNullable<ProjectPlan["deletion"]> {
  const doubt = side === "merger" ? ", or deleted and the merger has it still" : "";
  return {
    there: { fault: "configuration", message: `ZUUL_NEWREV is all zeros and ${ref} is there - enqueued without --newrev${doubt}` },
    gone: { fault: "ref", message: `${ref} was deleted, there is nothing to test - see ignore-deletes in Zuul's layout` },
  };
}

/** The keys of a record are names that others chose. */
function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
