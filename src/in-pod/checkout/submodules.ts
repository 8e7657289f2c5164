import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type GitUrl, parseGitUrl, quoteForPeople } from "../../core/checkout/git-url.ts";
import { CheckoutError } from "../../core/checkout/problem.ts";
import { belowUrl, type GitSource, makeSource } from "../../core/checkout/sources.ts";
import { isRelative, readSubmodules, resolveSubmoduleUrl, type Submodule } from "../../core/checkout/submodules.ts";
import type { SubmoduleTerms } from "../../core/checkout/terms.ts";
import { type FetchWorld, fetchCommit, fetchFrom } from "./fetch.ts";
import { type Git, GitError, makeGit } from "./git.ts";
import { walkDirectories } from "./workspace.ts";

/** Of those that stay empty, in the log. */
const MAX_NAMED = 100;
const MAX_DEPTH = 10;

interface SubmoduleOptions extends FetchWorld {
  /** The test needs no submodules: they stay empty. */
  leavesSubmodules: boolean;
  submodules: SubmoduleTerms;
}

interface Link {
  path: string;
  commit: string;
}

/**
 * Checks out the submodules of what is checked out in git's directory, and theirs. Not by `git submodule`: `.gitmodules` is anybody's text, and of
 * it only a path that is in the tree and a URL that may be fetched are taken. A link to a commit that it says nothing of is empty wherever it is
 * checked out.
 */
export async function checkOutSubmodules(git: Git, options: SubmoduleOptions, bases: readonly GitUrl[], depth = 1): Promise<void> {
  const { links, isDeclared } = await listLinks(git);
  if (links.length === 0 || !isDeclared) return;
  const records: string[] = [];
  await readModules(git, records);
  const declared = readSubmodules(records);
  let left = 0;
  for (const link of links) {
    const submodule = declared.get(link.path);
    if (submodule === undefined) continue;
    if (options.leavesSubmodules || submodule.isLeft) {
      left += 1;
      if (left <= MAX_NAMED) options.print(`${link.path} is a submodule and stays empty`);
      continue;
    }
    if (depth > MAX_DEPTH) throw new CheckoutError("configuration", `submodules lie more than ${MAX_DEPTH} deep in each other`);
    try {
      await checkOutSubmodule(git, link, submodule, { ...options, bases, depth });
    } catch (error) {
      if (!(error instanceof CheckoutError)) throw error;
      throw new CheckoutError(error.problem.fault, `submodule ${quoteForPeople(link.path)} - ${error.problem.message}`);
    }
  }
}

async function listLinks(git: Git): Promise<{ links: Link[]; isDeclared: boolean }> {
  const links: Link[] = [];
  let isDeclared = false;
  await git.list(["ls-files", "--stage", "-z"], (entry) => {
    const [head = "", ...path] = entry.split("\t");
    const [mode, commit = ""] = head.split(" ");
    if (mode === "160000") links.push({ path: path.join("\t"), commit });
    if (mode?.startsWith("100") && path[0] === ".gitmodules") isDeclared = true;
  });
  return { links, isDeclared };
}

async function readModules(git: Git, records: string[]): Promise<void> {
  try {
    const args = ["config", "--blob", "HEAD:.gitmodules", "--no-includes", "--null", "--list"];
    await git.list(args, (record) => records.push(record));
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    throw new CheckoutError("ref", `the commit's .gitmodules in ${git.source.project} cannot be read`);
  }
}

interface At extends SubmoduleOptions {
  bases: readonly GitUrl[];
  depth: number;
}

async function checkOutSubmodule(git: Git, { path, commit }: Link, { name, url }: Submodule, at: At): Promise<void> {
  const directory = join(git.directory, path);
  const isEmpty = (await walkDirectories(git.directory, path.split("/"), path)) && (await readdir(directory)).length === 0;
  if (!isEmpty) throw new CheckoutError("ref", "its directory is not empty");
  const urls = (isRelative(url) ? at.bases : at.bases.slice(0, 1)).map((base) => resolveSubmoduleUrl(url, base));
  const sources = urls.map((each) => makeSource(each, each.path.slice(1), ".gitmodules", at.submodules.allowed));
  const own = await fetchSubmodule(directory, sources, commit, at);
  await own.run("checkout", "--quiet", "--progress", "--detach", "--force", commit);
  await own.run("remote", "add", "origin", own.source.publicUrl);
  // What git's own commands for submodules look at.
  await git.run("config", "--local", `submodule.${name}.url`, own.source.publicUrl);
  at.print(`checked out submodule ${path} at ${commit} (${own.source.publicUrl})`);
  await checkOutSubmodules(own, at, [readBase(own.source)], at.depth + 1);
}

/** From the first of the sources that is there. */
async function fetchSubmodule(directory: string, sources: readonly GitSource[], commit: string, at: At): Promise<Git> {
  let absent: unknown;
  for (const source of sources) {
    const own = makeGit(directory, source, at);
    try {
      await own.run("init", "--quiet", `--object-format=${commit.length === 64 ? "sha256" : "sha1"}`);
      if (at.history.depth !== undefined && (await fetchCommit(own, commit, at).then(() => true, ifRefused))) return own;
      await fetchFrom(own, [], at);
      const isThere = (await own.ask("cat-file", "-e", `${commit}^{commit}`)).code === 0;
      // Of no branch's history.
      if (!isThere) await fetchCommit(own, commit, { ...at, history: {} });
      return own;
    } catch (error) {
      if (!(error instanceof GitError) || error.absent === undefined) throw error;
      absent =
        error.absent === "ref"
          ? new CheckoutError("ref", `${source.host} has no commit ${commit.slice(0, 12)} in ${source.project}`)
          : error;
    }
  }
  throw absent;
}

/** A server may give neither a commit by its id nor a part of its history. */
function ifRefused(error: unknown): boolean {
  if (error instanceof GitError && (error.absent === "ref" || error.absent === "shallow")) return false;
  throw error;
}

/** Where relative URLs of a project's submodules go on from: its place at Gerrit, which has all projects, then where it came from. */
export function listBases(source: GitSource, { gitUrl }: SubmoduleTerms): GitUrl[] {
  const own = readBase(source);
  return gitUrl === undefined ? [own] : [belowUrl(gitUrl, source.project), own];
}

function readBase({ url }: GitSource): GitUrl {
  const parsed = parseGitUrl(url);
  if (!parsed.ok) throw new CheckoutError("configuration", `the URL ${parsed.problem}`);
  return parsed.url;
}
