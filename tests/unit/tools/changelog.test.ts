import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cutChangelog, readChanges } from "../../../tools/changelog.ts";

const ROOT = join(import.meta.dirname, "../../..");

test("what was unreleased becomes the version's, below a heading for what comes", () => {
  const before = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A.\n\n## [0.1.0] - 2026-01-02\n\n- B.\n";
  const after = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-03-04\n\n### Added\n\n- A.\n\n## [0.1.0] - 2026-01-02\n\n- B.\n";
  assert.equal(cutChangelog(before, "0.2.0", "2026-03-04"), after);
  assert.throws(() => cutChangelog(after, "0.3.0", "2026-05-06"), /says nothing under Unreleased/);
  assert.throws(() => cutChangelog(before, "0.1.0", "2026-03-04"), /has a section 0\.1\.0 already/);
  assert.throws(() => cutChangelog("# Changelog\n", "0.1.0", "2026-03-04"), /has no line "## \[Unreleased\]"/);
});

test("a release's notes are its section, without the heading and what else there is", () => {
  const text =
    "# Changelog\n\n## [Unreleased]\n\n- C.\n\n## [0.2.0] - 2026-03-04\n\n### Added\n\n- A.\n\n## [0.1.0] - 2026-01-02\n\n- B.\n";
  assert.equal(readChanges(text, "0.2.0"), "### Added\n\n- A.\n");
  assert.equal(readChanges(text, "0.1.0"), "- B.\n");
  assert.throws(() => readChanges(text, "0.3.0"), /CHANGELOG.md has no section 0\.3\.0/);
});

test("the project's own can be cut", () => {
  const text = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8");
  const added = "\n## [99.0.0] - 2026-03-04\n";
  assert.equal(cutChangelog(text, "99.0.0", "2026-03-04").length, text.length + added.length);
});
