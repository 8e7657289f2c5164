import { type GitUrl, isBelowUrl, parseGitUrl, quoteUrlForPeople, renderGitUrl } from "./git-url.ts";
import { CheckoutError } from "./problem.ts";

/** A repository that is fetched from. */
export interface GitSource {
  project: string;
  /** What git fetches from; may hold credentials, so it is never printed. */
  url: string;
  /** The same without credentials: for `origin`, and for people. */
  publicUrl: string;
  host: string;
  /** What says where it is, for people who have to correct it. */
  setting: string;
}

/** Reads a URL that `name` holds. Throws CheckoutError naming it. */
export function readGitUrl(text: string, name: string): GitUrl {
  const parsed = parseGitUrl(text);
  if (!parsed.ok) throw new CheckoutError("configuration", `${name} ${parsed.problem}`);
  return parsed.url;
}

/** Prefixes of what may be fetched. None: every URL of a known scheme. */
export type AllowedUrls = readonly GitUrl[];

export function readAllowedUrls(texts: readonly string[]): AllowedUrls {
  return texts.map((text) => readGitUrl(text, `checkout.allowedUrls in the configuration - ${quoteUrlForPeople(text)}`));
}

/** Throws CheckoutError for what may not be fetched. */
export function makeSource(url: GitUrl, project: string, setting: string, allowed: AllowedUrls): GitSource {
  if (allowed.length > 0 && !allowed.some((prefix) => isBelowUrl(url, prefix))) {
    throw new CheckoutError("configuration", `${url.host} is not allowed for checkouts - see checkout.allowedUrls in the configuration`);
  }
  return {
    project,
    url: renderGitUrl(url, { credentials: true }),
    publicUrl: renderGitUrl(url, { credentials: false }),
    host: url.host,
    setting,
  };
}

/** The project's repository below a base URL. */
export function belowUrl(base: GitUrl, project: string): GitUrl {
  return { ...base, path: `${base.path}/${project}` };
}
