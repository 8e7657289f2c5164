import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { ensurePythonVenv } from "../../support/zuul/python-venv.ts";
import { readZuulLayouts } from "../../support/zuul/zuul-layout.ts";

const ROOT = join(import.meta.dirname, "../../..");
const page = readFileSync(join(ROOT, "docs/zuul.md"), "utf8");
const [layout = "", jobs = ""] = Array.from(page.matchAll(/```yaml\n([\s\S]*?)```/g), ([, text = ""]) => text);

const OURS = "http://ours.example.org/builds/hello-1";
const PATTERN = "http://logs.example.org/{build.uuid}";

/** The link that Zuul's report has for a build of each of these results. */
async function links(patterns: { jobs?: unknown[]; urlPattern?: string }): Promise<string[]> {
  const { python } = await ensurePythonVenv();
  const results = ["SUCCESS", "FAILURE", "2 tests failed"];
  const builds = results.map((result) => ({ job: "hello", number: "hello-1", url: OURS, result }));
  const input = JSON.stringify({ jobs: [], urlPattern: null, ...patterns, builds });
  return JSON.parse(await runCommand(python, [join(ROOT, "tests/support/zuul/report_links.py")], { input }));
}

describe("docs/zuul.md", () => {
  test("has a layout that Zuul takes, with the jobs that it names", async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "turbo-hipster-layout-"));
    t.after(() => rm(directory, { recursive: true }));
    const path = join(directory, "layout.yaml");
    writeFileSync(path, layout);
    const inCheck = { "openstack/nova": ["check"] };
    assert.deepEqual(await readZuulLayouts([path]), [{ jobs: { hello: inCheck, "nova-migrations": inCheck }, parameterFunctions: {} }]);
  });

  test("tells when a report has the link of the build, and when that of a pattern", async () => {
    const byPattern = PATTERN.replace("{build.uuid}", "0".repeat(32));
    const byJob = "https://builds.example.org/builds/hello-1";

    assert.deepEqual(await links({}), [OURS, OURS, OURS]);
    assert.deepEqual(await links({ urlPattern: PATTERN }), [byPattern, byPattern, byPattern]);
    assert.deepEqual(await links({ urlPattern: PATTERN, jobs: parse(jobs).jobs }), [byJob, byJob, byPattern]);
  });
});
