import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "./machine/cache-directory.ts";
import { runCommand } from "./machine/run-command.ts";
import { type Architecture, architectureOf, nodeNameOf } from "./platforms.ts";

/**
 * The Node that this checkout runs on, as a program for that processor: this process's own, or out of the package that npm has of it for
 * another, from the cache.
 */
export async function ensureImageNode(architecture: Architecture): Promise<string> {
  if (architecture === architectureOf()) return process.execPath;
  const name = `node-linux-${nodeNameOf(architecture)}@${process.versions.node}`;
  const directory = cacheDirectory("image", name);
  if (existsSync(directory)) return join(directory, "package", "bin", "node");
  const unfinished = `${directory}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const packed = await runCommand("npm", ["pack", "--json", "--pack-destination", unfinished, name], { cwd: unfinished });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  await runCommand("tar", ["--extract", "--gzip", "--file", join(unfinished, filename), "--directory", unfinished, "package/bin/node"]);
  rmSync(join(unfinished, filename));
  renameSync(unfinished, directory);
  return join(directory, "package", "bin", "node");
}
