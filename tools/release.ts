// What `npm version` runs when it has written package.json: everything else of that version, for its commit.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../src/version.ts";
import { cutChangelog } from "./changelog.ts";
import { writeGeneratedFiles } from "./generate.ts";
import { runCommand } from "./machine/run-command.ts";

const ROOT = join(import.meta.dirname, "..");
const CHANGELOG = join(ROOT, "CHANGELOG.md");
/** It records deploy/manifests, which helm makes. */
const MANIFESTS = "tests/unit/chart/manifests.test.ts";

const text = cutChangelog(readFileSync(CHANGELOG, "utf8"), VERSION, new Date().toISOString().slice(0, 10));
writeGeneratedFiles();
await runCommand(process.execPath, ["--test", MANIFESTS], { cwd: ROOT, env: { UPDATE: "1" } });
writeFileSync(CHANGELOG, text);
await runCommand("git", ["add", "--update"], { cwd: ROOT });
console.log(`CHANGELOG.md has a section ${VERSION}; chart, manifests and pages name it`);
