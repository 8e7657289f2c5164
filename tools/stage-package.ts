import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { buildSources } from "./build.ts";

const ROOT = join(import.meta.dirname, "..");

/** What the published package holds, compiled sources and more: the `files` of package.json. */
const PUBLISHED: readonly string[] = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).files;

/** What is published for people to read and copy. An image holds none of it: nobody reads there, and a changed page needs no new one. */
const FOR_READERS: ReadonlySet<string> = new Set(["charts", "deploy/examples", "docs", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"]);

/** Puts the package into the missing `directory`, compiled anew: all of what is published that the program needs to run. */
export async function stageProgram(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await buildSources(join(directory, "dist"));
  for (const entry of ["package.json", ...PUBLISHED]) {
    if (entry === "dist" || FOR_READERS.has(entry)) continue;
    if (existsSync(join(ROOT, entry))) cpSync(join(ROOT, entry), join(directory, entry), { recursive: true });
  }
}

/**
 * Puts into `directory`/node_modules exactly the production packages of package-lock.json, as they are in this checkout's node_modules
 * (which tools/bootstrap.mjs or `npm ci` filled).
 */
export function stageModules(directory: string): void {
  for (const path of productionPackages()) {
    cpSync(join(ROOT, path), join(directory, path), { recursive: true, filter: (source) => isNeededAtRunTime(source, join(ROOT, path)) });
  }
}

/** `node_modules/...` paths of the lock file's entries that are no development dependencies and are installed on this platform. */
function productionPackages(): string[] {
  const lock: { packages: Record<string, { dev?: boolean }> } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path !== "" && !entry.dev && existsSync(join(ROOT, path)))
    .map(([path]) => path);
}

/** Packages inside others have lock entries of their own; declarations and source maps are for compilers and debuggers. */
function isNeededAtRunTime(source: string, packageRoot: string): boolean {
  if (basename(source) === "node_modules" && source !== packageRoot) return false;
  return !/\.(?:d\.[cm]?ts|map)$/.test(source);
}

if (import.meta.main) {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) throw new Error("usage: node tools/stage-package.ts DIRECTORY");
  stageModules(join(directory, "modules"));
  await stageProgram(join(directory, "program"));
}
