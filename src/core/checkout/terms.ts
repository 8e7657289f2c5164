import type { GitUrl } from "./git-url.ts";
import { CheckoutError } from "./problem.ts";
import type { Side } from "./ref-choices.ts";
import type { ReadParameter } from "./request.ts";
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

/** What is said of submodules beside the commit that has them. */
export interface SubmoduleTerms {
  allowed: AllowedUrls;
  /** `checkout.gitUrl`. */
  gitUrl: GitUrl | undefined;
}

/** Throws CheckoutError for a URL that may not be fetched. */
export type MakeSourceOf = (side: Side, project: string) => GitSource;

const SETTINGS = { merger: "zuul_url in zuul.conf", reviewed: "checkout.gitUrl" } as const;

/** Where projects are: Zuul's merger, which the request names, and the reviewed side, which the task does. */
export function readSides(
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
