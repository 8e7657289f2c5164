import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Where things that can be made again are kept: `$XDG_CACHE_HOME/turbo-hipster/<names>`, by default under `~/.cache`. */
export function cacheDirectory(...names: string[]): string {
  const base = process.env.XDG_CACHE_HOME;
  // The XDG base directory specification has relative paths ignored.
  return join(base && isAbsolute(base) ? base : join(homedir(), ".cache"), "turbo-hipster", ...names);
}
