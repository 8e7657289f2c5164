import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildProgram } from "./build.ts";

const ROOT = join(import.meta.dirname, "..");

/** What the published package holds, the program and more: the `files` of package.json. */
const PUBLISHED: readonly string[] = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).files;

/** What is published for people to read and copy. An image holds none of it: nobody reads there, and a changed page needs no new one. */
const FOR_READERS: ReadonlySet<string> = new Set([
  ...["charts", "deploy/examples", "deploy/manifests", "deploy/schema", "docs", "README.md", "CONTRIBUTING.md"],
  ...["CHANGELOG.md", "CODE_OF_CONDUCT.md", "SECURITY.md"],
]);

/**
 * Puts the package into the missing `directory`, made anew: all of what is published that the program needs to run. It runs without node_modules
 * but for `packages`, as `buildProgram` says.
 */
export async function stageProgram(directory: string, packages: "bundle" | "external" = "bundle"): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await buildProgram(join(directory, "dist"), packages);
  for (const entry of ["package.json", ...PUBLISHED]) {
    if (entry === "dist" || FOR_READERS.has(entry)) continue;
    if (existsSync(join(ROOT, entry))) cpSync(join(ROOT, entry), join(directory, entry), { recursive: true });
  }
}

if (import.meta.main) {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) throw new Error("usage: node tools/stage-package.ts DIRECTORY");
  await stageProgram(directory);
}
