import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { VERSION } from "../../../src/version.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { CHART, EXAMPLES, helm } from "./render-chart.ts";

describe("the packaged chart", () => {
  const directory = mkdtempSync(join(tmpdir(), "th-packaged-"));
  const archive = join(directory, `turbo-hipster-${VERSION}.tgz`);

  before(async () => {
    await helm(["package", CHART, "--destination", directory]);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  test("makes the same as the folder, with what helm test runs", async () => {
    const render = (chart: string) => helm(["template", "a", chart, "--namespace", "b", "--values", join(EXAMPLES, "values.yaml")]);
    const objects = await render(archive);
    assert.equal(objects, await render(CHART));
    assert.match(objects, /helm\.sh\/hook: test/);
  });

  test("holds what it is installed from, and none of its own tests", async () => {
    const files = (await runCommand("tar", ["--list", "--file", archive])).trim().split("\n");
    for (const name of ["Chart.yaml", "README.md", "values.schema.json", "files/alerts.yaml"])
      assert.ok(files.includes(`turbo-hipster/${name}`), name);
    assert.deepEqual(
      files.filter((file) => file.endsWith("_test.yaml")),
      [],
    );
  });
});
