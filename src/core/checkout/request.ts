import type { Parameters } from "../zuul/parameters.ts";
import { isRefName, projectDirectory } from "./git-names.ts";
import { quoteForPeople } from "./git-url.ts";
import { CheckoutError } from "./problem.ts";

/** What a request says of its own project. */

/** Text of a parameter: absent, null (Zuul's word for "unset") and "" are undefined. Throws CheckoutError for anything that is no text. */
export type ReadParameter = (name: string) => string | undefined;

export function makeReader({ values }: Parameters): ReadParameter {
  return (name) => {
    const value = values.get(name)?.value ?? "";
    if (typeof value !== "string")
      throw new CheckoutError("configuration", `${name} is no text - look at the parameter-function of the job in Zuul`);
    return value === "" ? undefined : value;
  };
}

/** Where ZUUL_PROJECT lands; undefined when the request names none that can be checked out. */
export function ownDirectory(parameters: Parameters): string | undefined {
  const project = parameters.values.get("ZUUL_PROJECT")?.value;
  return typeof project === "string" ? projectDirectory(project) : undefined;
}

export function readOwnProject(read: ReadParameter): string {
  const project = read("ZUUL_PROJECT");
  if (project === undefined) {
    throw new CheckoutError("configuration", "ZUUL_PROJECT is missing - without it there is nothing to check out");
  }
  if (projectDirectory(project) === undefined) {
    throw new CheckoutError("configuration", `ZUUL_PROJECT is ${quoteForPeople(project)} - not a project name that can be checked out`);
  }
  return project;
}

/** Zuul sends `refs/zuul/<branch>/Z...` for changes and Gerrit's name for updated refs; for a branch that one may be short (`master`). */
export function readRef(read: ReadParameter): string | undefined {
  const text = read("ZUUL_REF");
  if (text === undefined) return undefined;
  const ref = text.startsWith("refs/") ? text : `refs/heads/${text}`;
  if (!isRefName(ref)) throw badRefName("ZUUL_REF", text);
  return ref;
}

export function badRefName(name: string, text: string): CheckoutError {
  return new CheckoutError("configuration", `${name} is ${quoteForPeople(text)} - not a name that git takes for a ref`);
}
