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
