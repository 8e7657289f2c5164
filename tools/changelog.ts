import { readFileSync } from "node:fs";
import { join } from "node:path";
import { VERSION } from "../src/version.ts";

const UNRELEASED = "## [Unreleased]\n";

/**
 * CHANGELOG.md with a section of its own for what was unreleased; `date` as 2026-01-31. Throws where nothing is unreleased, or that version has
 * been.
 */
export function cutChangelog(text: string, version: string, date: string): string {
  const start = text.indexOf(`\n${UNRELEASED}`) + 1;
  if (start === 0) throw new Error(`CHANGELOG.md has no line "${UNRELEASED.trim()}"`);
  if (text.includes(`\n## [${version}]`)) throw new Error(`CHANGELOG.md has a section ${version} already`);
  const end = start + UNRELEASED.length;
  const next = text.indexOf("\n## ", end);
  if (text.slice(end, next === -1 ? text.length : next).trim() === "") throw new Error("CHANGELOG.md says nothing under Unreleased");
  return `${text.slice(0, end)}\n## [${version}] - ${date}\n${text.slice(end)}`;
}

/** What CHANGELOG.md says of a version that has a section of its own, without its heading. Throws where it has none. */
export function readChanges(text: string, version: string): string {
  const start = text.indexOf(`\n## [${version}]`);
  if (start === -1) throw new Error(`CHANGELOG.md has no section ${version}`);
  const body = text.indexOf("\n", start + 1) + 1;
  const next = text.indexOf("\n## ", body);
  return `${text.slice(body, next === -1 ? text.length : next).trim()}\n`;
}

// The notes of this version's release.
if (import.meta.main) process.stdout.write(readChanges(readFileSync(join(import.meta.dirname, "../CHANGELOG.md"), "utf8"), VERSION));
