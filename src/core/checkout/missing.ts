import type { CheckoutProblem } from "./problem.ts";
import type { ReadParameter } from "./request.ts";

/** What it means that a project has none of the refs it could be checked out at. */

/** What a merger says of an update that failed is in its log alone (`zuul/merger/merger.py`, `updateRepo`). */
export const BEHIND = "the merger is behind, see its log";

export interface Place {
  project: string;
  host: string;
}

/** A branch, and what names it. */
export interface NamedBranch {
  name: string;
  text: string | undefined;
}

/** `read` is there for ZUUL_PROJECT. */
interface Absence {
  place: Place;
  branch: NamedBranch;
  read?: ReadParameter;
  ref?: string | undefined;
  isTaskBranch?: boolean;
}

export function judgeMissing({ place: { project, host }, branch, read, ref, isTaskBranch }: Absence): CheckoutProblem {
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
