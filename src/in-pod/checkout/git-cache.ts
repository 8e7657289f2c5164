import { createHash } from "node:crypto";
import { lstat, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { CheckoutError } from "../../core/checkout/problem.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Git, GitWorld } from "./git.ts";

/**
 * What was fetched before from a URL, in a file that later checkouts of the same URL begin with: git's bundle. git makes it under another name and
 * renames it, so that others read a whole one, old or new; and it takes every object of it by its contents, so that whoever can write to the
 * volume can forge nothing. What the server says is asked of it all the same, with what it asks for: a cache opens nothing.
 */

/** Between a checkout's fetch and its end. */
export interface Cached {
  /** Of the repository before the fetch. */
  kibibytes: number;
}

/** Smaller ones are fetched as quickly. */
const LEAST_KIBIBYTES = 4 * 1024;
/** A bundle is written anew when a fetch has brought so much more than it holds. */
const GROWTH = 0.25;
const UNUSED_MS = 30 * 24 * 3_600_000;
/** No bundle takes so long to make: whoever did was killed. */
const UNFINISHED_MS = 3_600_000;
const CACHED = "refs/turbo-hipster/cached";
const ENTRY = /^[0-9a-f]{64}-sha(1|256)\.bundle(?<lock>\.lock)?$/;

/** Puts what is cached of git's source into its repository. A cache that cannot be used is told, and left away; the fetch then brings everything. */
export async function loadCached(git: Git, directory: string | undefined, world: GitWorld): Promise<Cached> {
  if (directory === undefined) return { kibibytes: 0 };
  const path = await pathOf(git, directory);
  try {
    const found = await lstat(path).catch(ifMissing);
    if (found === undefined) return { kibibytes: 0 };
    if (!found.isFile()) throw new CheckoutError("configuration", "it is no file");
    const refs: string[] = [];
    await git.list(["bundle", "unbundle", "--progress", path], (line) => refs.push(line), "\n");
    await git.feed(refs.map(renderUpdate).join(""), "update-ref", "--stdin");
    await utimes(path, new Date(), new Date()).catch(() => {}); // another user's file; it is taken for unused sooner
    const kibibytes = await measure(git);
    world.print(`took ${renderSize(kibibytes)} of ${git.source.publicUrl} from the cache`);
    return { kibibytes };
  } catch (thrown) {
    world.signal.throwIfAborted();
    world.print(`the cache of ${git.source.publicUrl} is broken and not used - ${coerceError(thrown).message}`);
    await rm(path, { force: true, recursive: true }).catch((error) => world.print(`cannot remove it - ${coerceError(error).message}`));
    return { kibibytes: 0 };
  }
}

/** After a fetch: names that the server did not say are no part of the clone. */
export async function forgetCached(git: Git): Promise<void> {
  const names: string[] = [];
  await git.list(["for-each-ref", "--format=%(refname)", CACHED], (name) => names.push(name), "\n");
  if (names.length > 0) await git.feed(names.map((name) => `delete ${name}\n`).join(""), "update-ref", "--stdin");
}

/** Keeps what is in git's repository for the next, if there is much that the cache lacks. What goes wrong here is told, and harms no checkout. */
export async function storeInCache(git: Git, { kibibytes: before }: Cached, directory: string, world: GitWorld): Promise<void> {
  try {
    const kibibytes = await measure(git);
    if (kibibytes < LEAST_KIBIBYTES || kibibytes - before < before * GROWTH) return;
    await removeOld(directory, world);
    const path = await pathOf(git, directory);
    if ((await lstat(`${path}.lock`).catch(ifMissing)) !== undefined) return; // somebody else is at it
    await git.run("bundle", "create", "--progress", path, "--remotes", "--tags", "HEAD");
    world.print(`keeps ${renderSize((await stat(path)).size / 1024)} of ${git.source.publicUrl} in the cache`);
  } catch (thrown) {
    world.print(`${git.source.publicUrl} is not kept in the cache - ${coerceError(thrown).message}`);
  }
}

/** By the whole URL: what one server gave is never taken for what another has. */
async function pathOf(git: Git, directory: string): Promise<string> {
  const { stdout } = await git.run("rev-parse", "--show-object-format");
  return join(directory, `${createHash("sha256").update(git.source.publicUrl).digest("hex")}-${stdout.trim()}.bundle`);
}

async function removeOld(directory: string, { clock, print }: GitWorld): Promise<void> {
  for (const name of await readdir(directory)) {
    const entry = ENTRY.exec(name);
    if (entry === null) continue;
    const path = join(directory, name);
    const found = await lstat(path).catch(ifMissing);
    const limitMs = entry.groups?.lock === undefined ? UNUSED_MS : UNFINISHED_MS;
    if (found === undefined || clock.now().getTime() - found.mtimeMs < limitMs) continue;
    print(`removing ${name} from the cache, unused since ${found.mtime.toISOString()}`);
    await rm(path, { force: true, recursive: true });
  }
}

/** Loose and packed, in KiB (`git help count-objects`). */
async function measure(git: Git): Promise<number> {
  const { stdout } = await git.run("count-objects", "--verbose");
  return ["size", "size-pack"].reduce((sum, name) => sum + Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(stdout)?.[1] ?? 0), 0);
}

/** A line of what `git bundle unbundle` prints: id and name. */
function renderUpdate(line: string): string {
  const [id = "", name = ""] = line.split(" ");
  return `update ${CACHED}/${name} ${id}\n`;
}

function renderSize(kibibytes: number): string {
  return kibibytes < 1024 ? `${Math.round(kibibytes)} KiB` : `${(kibibytes / 1024).toFixed(1)} MiB`;
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}
