import type { Parameters } from "../zuul/parameters.ts";
import { type Deletion, type ExpectedCommit, expectCommit, judgeDeletion } from "./expected-commit.ts";
import { isRefName, projectDirectory } from "./git-names.ts";
import { quoteForPeople } from "./git-url.ts";
import { judgeMissing, type NamedBranch } from "./missing.ts";
import { CheckoutError, type CheckoutProblem } from "./problem.ts";
import { listRefChoices, type RefChoice } from "./ref-choices.ts";
import { badRefName, makeReader, type ReadParameter, readOwnProject, readRef } from "./request.ts";
import type { GitSource } from "./sources.ts";
import { type CheckoutTerms, type MakeSourceOf, readSides, type SubmoduleTerms } from "./terms.ts";

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
  /** What is checked out of the ref that Zuul names, instead of its tip. */
  commit?: ExpectedCommit;
  /** There is nothing to check out, for a reason that hangs on whether the first candidate is there. */
  deletion?: Deletion;
}

export interface CheckoutPlan {
  /** ZUUL_PROJECT first. */
  projects: readonly [ProjectPlan, ...ProjectPlan[]];
  submodules: SubmoduleTerms;
}

type PlannedCheckout = { ok: true; plan: CheckoutPlan } | { ok: false; problem: CheckoutProblem };

/** Decides what to fetch for a request: ZUUL_PROJECT, and beside it the projects of the task. */
export function planCheckout(parameters: Parameters, terms: CheckoutTerms): PlannedCheckout {
  const read = makeReader(parameters);
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
  const commit = isOwn && ref !== undefined ? expectCommit(read, ref, place) : undefined;
  if (ref === undefined || commit === undefined) return plan;
  if (commit !== "deleted") return { ...plan, commit };
  const side = terms.gitUrl === undefined ? "merger" : "reviewed";
  return { ...plan, candidates: [{ source: makeSourceOf(side, project), ref, isOptional: false }], deletion: judgeDeletion(ref, side) };
}

function requireRefName({ ref }: RefChoice, { name, text = "" }: NamedBranch): void {
  if (ref !== undefined && !isRefName(ref)) throw badRefName(name, text);
}

/** The keys of a record are names that others chose. */
function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
