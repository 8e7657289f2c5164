import assert from "node:assert/strict";
import { test } from "node:test";
import { type MutationReport, renderScores, renderSurvivors } from "../../mutation/mutation-report.ts";

type Mutant = MutationReport["files"][string]["mutants"][number];

function mutant(status: Mutant["status"], more: Partial<Mutant> = {}): Mutant {
  return {
    mutatorName: "BooleanLiteral",
    replacement: "false",
    status,
    location: { start: { line: 1, column: 11 }, end: { line: 1, column: 15 } },
    ...more,
  };
}

const FILES: MutationReport["files"] = {
  "src/core/a/x.ts": {
    source: "const a = true;\nif (a &&\n    b) {}\n",
    mutants: [
      mutant("Killed"),
      mutant("Timeout"),
      mutant("Survived"),
      mutant("Ignored"),
      mutant("NoCoverage", {
        mutatorName: "LogicalOperator",
        replacement: "a ||\n b",
        location: { start: { line: 2, column: 5 }, end: { line: 3, column: 6 } },
      }),
    ],
  },
  "src/core/b/y.ts": { source: "", mutants: [mutant("Killed")] },
};

test("names each break that no test noticed, with what stood there and what stood there instead", () => {
  assert.deepEqual(renderSurvivors(FILES).split("\n"), [
    "src/core/a/x.ts:1 BooleanLiteral: true -> false",
    "src/core/a/x.ts:2 (never run) LogicalOperator: a && b -> a || b",
  ]);
});

test("counts by directory and in all; what was not tried counts nowhere", () => {
  assert.deepEqual(renderScores(FILES).split("\n"), [
    "src/core/a: 2 of 4 (50.0 %)",
    "src/core/b: 1 of 1 (100.0 %)",
    "all: 3 of 5 (60.0 %)",
  ]);
});
