import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ComparedBuild, isComparable, taskOfJob } from "../../../../src/core/checks/compared-build.ts";
import type { BuildReport } from "../../../../src/core/report/build-report.ts";
import { sampleBuild } from "../../../support/pages/sample-pages.ts";

const PASSED = { result: "SUCCESS", class: "success" as const, rule: "checks-passed", message: "" };
const DATASET = { name: "user_001", version: "2", source: "configMap a" };
const KEPT: BuildReport = sampleBuild({
  ...{ namespace: "ci", task: "unit", jobName: "unit-0000000000000001", functionName: "build:gate-unit:bionic", verdict: PASSED },
  ...{ item: { project: "nova", branch: "master", change: "7" }, dataset: DATASET },
});
const BUILD: ComparedBuild = {
  ...{ namespace: "ci", task: "unit", jobName: "unit-0000000000000002", nodeLabel: "bionic", project: "nova", branch: "master" },
  dataset: { name: "user_001", version: "2" },
};

describe("a kept build is one to compare with", () => {
  const rows: [what: string, kept: Partial<BuildReport>, build: Partial<ComparedBuild>, expected: boolean][] = [
    ["with another change of the same branch", {}, {}, true],
    ["with another job of the task", { functionName: "build:check-unit:bionic" }, {}, true],
    ["not with itself", { jobName: BUILD.jobName }, {}, false],
    ["not where it has not succeeded", { verdict: { ...PASSED, class: "failure" } }, {}, false],
    ["not where nobody knows what came out", { verdict: undefined }, {}, false],
    ["not of another namespace", { namespace: "other" }, {}, false],
    ["not of another task", { task: "other" }, {}, false],
    ["not of another branch", {}, { branch: "stable" }, false],
    ["not of another project", {}, { project: "cinder" }, false],
    ["not on another node label", { functionName: "build:gate-unit" }, {}, false],
    ["not on another dataset", { dataset: { ...DATASET, name: "user_002" } }, {}, false],
    ["not on another version of it", { dataset: { ...DATASET, version: "1" } }, {}, false],
    ["not on none where there is one", {}, { dataset: undefined }, false],
    ["of no dataset where there is none", { dataset: undefined }, { dataset: undefined }, true],
  ];
  for (const [what, kept, build, expected] of rows) {
    test(what, () => assert.equal(isComparable({ ...KEPT, ...kept }, { ...BUILD, ...build }), expected));
  }

  test("of the task that its Job is called after", () => {
    for (const name of ["a-b-0123456789abcdef", "a-b-0123456789abcdef-3", "a-b-0123456789abcdef-3-r2", "a-b-0123456789abcdef-r1"]) {
      assert.equal(taskOfJob(name), "a-b");
    }
  });
});
