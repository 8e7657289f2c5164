import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BuildReport } from "../../../../src/core/report/build-report.ts";
import { reportTask } from "../../../../src/core/report/task-report.ts";
import { sampleBuild } from "../../../support/pages/sample-pages.ts";

const TASK = {
  ...{ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "unit", namespace: "ci" } },
  spec: { jobs: ["unit"], image: "alpine", script: "true\n" },
};

/** `p` passed, `f` failed, `?` no result; each of another change, or of the one whose number comes behind. */
function builds(text: string, branch = "master"): BuildReport[] {
  return text.split(" ").map((word, index) => {
    const kind = { p: "success", f: "failure", "?": "infrastructure" }[word.charAt(0)] as "success";
    const verdict = { result: kind === "success" ? "SUCCESS" : "FAILURE", class: kind, rule: "exit-code", message: "" };
    return sampleBuild({ verdict, item: { project: "p", branch, change: word.slice(1) || `1000${index}`, patchset: "1" } });
  });
}

const failuresOf = (...ended: BuildReport[][]) => reportTask(TASK, ended.flat(), 0).failures;

describe("the failures of a task", () => {
  test("are counted by branch among its last 40 that passed or failed", () => {
    assert.deepEqual(failuresOf(builds("p f ? p f"), builds("f p", "stable"), builds("p p", "quiet")), [
      { branch: "master", failed: 2, of: 4, flaky: 0 },
      { branch: "stable", failed: 1, of: 2, flaky: 0 },
    ]);
    const many = builds(`f ${"p ".repeat(60)}f`);
    assert.deepEqual(failuresOf(many), [{ branch: "master", failed: 1, of: 40, flaky: 0 }]);
    assert.deepEqual(failuresOf(builds("f")), [], "one alone says nothing");
  });

  test("are flaky where the same patchset has passed, too", () => {
    assert.deepEqual(failuresOf(builds("p7 f7 f8 p9 f9 f9")), [{ branch: "master", failed: 4, of: 6, flaky: 3 }]);
  });
});
