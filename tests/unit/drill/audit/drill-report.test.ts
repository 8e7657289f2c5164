import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openReport, parseReport, type RunEntry, splitRuns } from "../../../drill/audit/drill-report.ts";

function run(from: number): RunEntry {
  return { type: "run", atMs: 0, date: "2026-01-01T00:00:00Z", seed: 1, from, faults: 10, replicas: 2 };
}

describe("the report of a drill", () => {
  test("is a file of one entry a line that is gone on with when it is opened again", () => {
    const directory = mkdtempSync(join(tmpdir(), "th-report-"));
    try {
      const path = join(directory, "deep", "seed.jsonl");
      openReport(path).add(run(0));
      const again = openReport(path);
      again.add(run(5));
      assert.deepEqual(again.entries, [run(0), run(5)]);
      assert.equal(readFileSync(path, "utf8"), `${JSON.stringify(run(0))}\n${JSON.stringify(run(5))}\n`);
      writeFileSync(path, `${JSON.stringify(run(0))}\n{"type":"fau`);
      openReport(path).add(run(5));
      assert.equal(readFileSync(path, "utf8"), `${JSON.stringify(run(0))}\n${JSON.stringify(run(5))}\n`);
      writeFileSync(path, "{}\n");
      assert.throws(() => openReport(path), /line 1 is no entry/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("loses half a line at most when its writer is ended", () => {
    assert.deepEqual(parseReport(`${JSON.stringify(run(0))}\n{"type":"fau`), [run(0)]);
  });

  test("begins anew with a run from the first fault, and goes on with every other", () => {
    assert.deepEqual(
      splitRuns([run(0), run(3), run(0), run(7)]).map(({ run: { from } }) => from),
      [0, 7],
    );
  });
});
