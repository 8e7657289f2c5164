import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { ensurePythonVenv } from "../../support/zuul/python-venv.ts";

const ROOT = join(import.meta.dirname, "../../..");
const page = readFileSync(join(ROOT, "docs/zuul.md"), "utf8");
const [layout = "", jobs = ""] = Array.from(page.matchAll(/```yaml\n([\s\S]*?)```/g), ([, text = ""]) => text);

const OURS = "http://ours.example.org/builds/hello-1";
const PATTERN = "http://logs.example.org/{build.uuid}";

/** What Zuul's own code says. */
async function askZuul(asked: { layout: unknown; jobs?: unknown[]; urlPattern?: string }, results: readonly string[]) {
  const { python } = await ensurePythonVenv();
  const builds = results.map((result) => ({ job: "hello", number: "hello-1", url: OURS, result }));
  const input = JSON.stringify({ jobs: [], urlPattern: null, ...asked, builds });
  const answer = await runCommand(python, [join(ROOT, "tests/support/zuul/layout.py")], { input });
  return JSON.parse(answer) as { error: string | null; links: string[] };
}

describe("docs/zuul.md", () => {
  test("has a layout that Zuul takes", async () => {
    assert.deepEqual(await askZuul({ layout: parse(layout) }, []), { error: null, links: [] });
    const { error } = await askZuul({ layout: { ...parse(layout), jobs: [{ name: "hello", attempts: "three" }] } }, []);
    assert.match(error ?? "", /expected int/);
  });

  test("tells when a report has the link of the build, and when that of a pattern", async () => {
    const results = ["SUCCESS", "FAILURE", "2 tests failed"];
    const links = async (asked: object) => (await askZuul({ layout: parse(layout), ...asked }, results)).links;
    const byPattern = PATTERN.replace("{build.uuid}", "0".repeat(32));
    const byJob = "https://builds.example.org/builds/hello-1";

    assert.deepEqual(await links({}), [OURS, OURS, OURS]);
    assert.deepEqual(await links({ urlPattern: PATTERN }), [byPattern, byPattern, byPattern]);
    assert.deepEqual(await links({ urlPattern: PATTERN, jobs: parse(jobs).jobs }), [byJob, byJob, byPattern]);
  });
});
