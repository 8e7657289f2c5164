import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ArtifactPatterns } from "../../../../src/core/artifacts/artifact-patterns.ts";

const PATHS = "results/a.xml results/deep/b.xml c.xml deep/c.xml .hidden other/results/d.txt".split(" ");

function kept(...patterns: string[]): string {
  const all = new ArtifactPatterns(patterns);
  return PATHS.filter((path) => all.matches(path.split("/"))).join(" ");
}

describe("artifacts.paths", () => {
  const TABLE: [string[], string][] = [
    [["results/"], "results/a.xml results/deep/b.xml"],
    [["results"], "results/a.xml results/deep/b.xml"],
    [["./results/*"], "results/a.xml results/deep/b.xml"],
    [["results/*.xml"], "results/a.xml"],
    [["*.xml"], "c.xml"],
    [["?.xml", ".hidden"], "c.xml .hidden"],
    [["**/*.xml"], "results/a.xml results/deep/b.xml c.xml deep/c.xml"],
    [["**/results/"], "results/a.xml results/deep/b.xml other/results/d.txt"],
    [["re*ts/**/b*"], "results/deep/b.xml"],
    [["*"], PATHS.join(" ")],
    [["../results", "a.xml", "RESULTS/"], ""],
    [["./", "."], ""],
  ];
  for (const [patterns, expected] of TABLE)
    test(`${patterns.join(" ")} keeps ${expected || "nothing"}`, () => assert.equal(kept(...patterns), expected));

  test("looks into no directory that holds nothing of theirs", () => {
    const mayHold = (pattern: string, directory: string) => new ArtifactPatterns([pattern]).mayHold(directory.split("/"));
    assert.deepEqual(
      [mayHold("results/*.xml", "results"), mayHold("results/*.xml", "node_modules"), mayHold("results/*.xml", "results/deep")],
      [true, false, false],
    );
    assert.deepEqual([mayHold("*.xml", "deep"), mayHold("**/x", "deep/er"), mayHold("results/", "results/deep")], [false, true, true]);
  });

  test("take no time that grows with a power of the name", () => {
    const pattern = new ArtifactPatterns([`${"*a".repeat(100)}b`]);
    const before = process.cpuUsage();
    assert.equal(pattern.matches(["a".repeat(255)]), false);
    const { user } = process.cpuUsage(before);
    assert.ok(user < 1_000_000, `${user} µs`);
  });
});
