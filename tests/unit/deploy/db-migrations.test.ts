import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { performCheck } from "../../../src/commands/check.ts";
import { readTestTaskDocuments } from "../../../src/commands/test-task-documents.ts";

const EXAMPLE = join(import.meta.dirname, "../../../deploy/examples/db-migrations");
const TASK = join(EXAMPLE, "testtask.yaml");
/** What run-migrations printed on the larger database, for each of the example's changes. */
const LOGS = join(import.meta.dirname, "../../fixtures/db-migrations");

async function check(log: string): Promise<string> {
  const printed: string[] = [];
  const world = { stdin: (async function* () {})(), print: (line: string) => printed.push(line), printError: assert.fail };
  await performCheck(TASK, { log: join(LOGS, log), json: true }, world);
  return JSON.parse(printed.join("")).result;
}

describe("the database example", () => {
  for (const file of [TASK, join(EXAMPLE, "../migration.yaml")]) {
    test(`the TestTask of ${basename(file)} is valid, and nothing in it is probably not meant`, () => {
      const [task] = readTestTaskDocuments(readFileSync(file, "utf8"));
      assert.deepEqual(task?.state === "valid" ? task.warnings : task, []);
    });
  }

  for (const [log, result] of [
    ["passes.txt", "SUCCESS"],
    ["too-slow.txt", "WARNING - Migration 0002->0003 took too long"],
    ["reads-too-much.txt", "WARNING - Migration 0002->0003 read too many rows (1020054)"],
  ] as const) {
    test(`its checks say of ${log}: ${result}`, async () => {
      assert.equal(await check(log), result);
    });
  }

  test("the network policy is about its pods", () => {
    const { spec } = parse(readFileSync(TASK, "utf8"));
    const policy = parse(readFileSync(join(EXAMPLE, "network-policy.yaml"), "utf8"));
    assert.deepEqual(policy.spec.podSelector.matchLabels, spec.labels);
  });
});
