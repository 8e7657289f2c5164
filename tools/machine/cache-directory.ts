import { readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Where things that can be made again are kept: `$XDG_CACHE_HOME/turbo-hipster/<names>`, by default under `~/.cache`. */
export function cacheDirectory(...names: string[]): string {
  const base = process.env.XDG_CACHE_HOME;
  // The XDG base directory specification has relative paths ignored.
  return join(base && isAbsolute(base) ? base : join(homedir(), ".cache"), "turbo-hipster", ...names);
}

const UNUSED_DAYS = 30;

/** Notes that an entry of the cache is in use now. */
export function markUsed(path: string): void {
  utimesSync(path, new Date(), new Date());
}

/** Removes those entries of a cache directory that nobody has used for a month: what other versions were made of. */
export function removeUnused(directory: string): void {
  for (const entry of readdirSync(directory)) {
    const path = join(directory, entry);
    const unusedMs = Date.now() - statSync(path).mtimeMs;
    if (statSync(path).isDirectory() && unusedMs > UNUSED_DAYS * 24 * 3600 * 1000) rmSync(path, { recursive: true, force: true });
  }
}
