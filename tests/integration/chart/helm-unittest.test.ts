import assert from "node:assert/strict";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CommandError, runCommand } from "../../../tools/machine/run-command.ts";
import { chartProgram } from "../../support/chart/chart-program.ts";
import { CHART } from "../../unit/chart/render-chart.ts";

describe("helm-unittest", () => {
  const directory = mkdtempSync(join(tmpdir(), "th-chart-"));
  const suites = globSync("tests/*_test.yaml", { cwd: CHART }).sort();
  let program: string;

  before(async () => {
    program = await chartProgram("helm-unittest");
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  test("passes the chart's own tests, all of them", async () => {
    const output = await runCommand(program, [CHART]);
    assert.match(output, new RegExp(`Test Suites: +${suites.length} passed, ${suites.length} total`));
    const tests = suites.flatMap((suite) => readFileSync(join(CHART, suite), "utf8").match(/^ {2}- it: /gm) ?? []);
    assert.match(output, new RegExp(`Tests: +${tests.length} passed, ${tests.length} total`));
  });

  test("fails them for a chart that does something else", async () => {
    const other = join(directory, "turbo-hipster");
    cpSync(CHART, other, { recursive: true });
    const deployment = join(other, "templates/deployment.yaml");
    writeFileSync(deployment, readFileSync(deployment, "utf8").replace('include "turbo-hipster.graceSeconds" .', "30"));
    await assert.rejects(runCommand(program, [other]), ({ stderr }: CommandError) => /- has as long to end as the drain/.test(stderr));
  });
});
