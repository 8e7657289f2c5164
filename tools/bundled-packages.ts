import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

/** A package that something of is in the program. */
export interface BundledPackage {
  name: string;
  version: string;
  /** As package.json has it, an SPDX expression as a rule. */
  license: string | undefined;
  /** Whole. */
  licenceTexts: readonly string[];
}

/** Those, each version once, by name. `root` is where node_modules is. Throws for a package that says nothing of its licence. */
export function readBundledPackages({ outputs }: Metafile, root: string): BundledPackage[] {
  const inputs = Object.values(outputs).flatMap(({ inputs: parts }) => Object.keys(parts));
  const directories = new Set(inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []));
  const packages = Array.from(directories, (directory) => readPackage(join(root, directory)));
  const unique = new Map(packages.map((each) => [titleOf(each), each]));
  return [...unique.values()].sort((a, b) => titleOf(a).localeCompare(titleOf(b)));
}

function readPackage(directory: string): BundledPackage {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const files = readdirSync(directory).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file));
  if (files.length === 0 && typeof license !== "string") throw new Error(`${directory} says nothing of its licence`);
  const licenceTexts = files.sort().map((file) => readFileSync(join(directory, file), "utf8").trim());
  return { name, version, license: typeof license === "string" ? license : undefined, licenceTexts };
}

function titleOf({ name, version }: BundledPackage): string {
  return `${name} ${version}`;
}

/** The text of LICENSES.txt. */
export function renderLicences(packages: readonly BundledPackage[]): string {
  return packages
    .map((each) => [`${titleOf(each)}, ${each.license}`, ...each.licenceTexts, ""].join("\n\n"))
    .join(`\n${"-".repeat(80)}\n\n`);
}
