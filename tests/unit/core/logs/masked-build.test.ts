import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BuildFile, parseBuildFile, renderBuildFile } from "../../../../src/core/logs/build-file.ts";
import { maskBuildFile } from "../../../../src/core/logs/masked-build.ts";
import { makeMasker } from "../../../../src/core/logs/masking.ts";

const SECRET = "correct-horse";
const AT = "2026-11-28T10:00:00Z";

const FILE: BuildFile = {
  version: 1,
  build: {
    ...{
      number: "unit-tests-0123",
      namespace: "ci-jobs",
      task: "unit-tests",
      functionName: "build:unit-tests",
      jobName: "unit-tests-0123",
    },
    item: { project: `a/${SECRET}` },
    ...{
      standing: "ended",
      step: "ended",
      times: [{ step: "running", at: AT }],
      pod: "unit-tests-0123-abcde",
      node: "worker-one",
      endedAt: AT,
    },
    verdict: { result: "SUCCESS", class: "success", rule: "exit-0", message: `it said ${SECRET}`, evidence: { words: SECRET } },
  },
  containers: [{ name: "unit-tests", image: `registry/${SECRET}` }],
  commits: [{ project: "a/b", ref: "refs/heads/master", commit: "c0ffee", subject: SECRET, url: "http://git" }],
  logs: [
    {
      ...{ container: "unit-tests", file: "console.log", bytes: 1, runs: [], attempts: [], points: [] },
      holes: [{ offset: 0, after: AT, before: AT }],
    },
  ],
  artifacts: {
    ...{ files: [{ path: `${SECRET}.txt`, bytes: 1 }], bytes: 1, leftOut: [], leftOutCount: 0 },
    junit: {
      ...{ tests: 1, failures: 1, errors: 0, skipped: 0, seconds: 1, unread: [] },
      failed: [{ file: "r.xml", name: "n", kind: "failure", message: SECRET }],
    },
  },
  problems: [],
};

const mask = (file: BuildFile, ...secrets: string[]) =>
  maskBuildFile(file, makeMasker(secrets.map((name) => ({ name, value: Buffer.from(name) }))));

describe("what is kept of a build, for programs", () => {
  for (const word of [
    "success",
    "SUCCESS",
    "exit-0",
    "running",
    "failure",
    "console.log",
    "unit-tests",
    "ci-jobs",
    "worker-one",
    "2026-11-28",
  ]) {
    test(`is what it was though a Secret holds the word ${word}`, () => {
      assert.deepEqual(mask(FILE, word), FILE);
    });
  }

  test("has no secret in a text that comes from outside, and is read all the same", () => {
    const masked = mask(FILE, SECRET, "success", "failure");
    assert.ok(!JSON.stringify(masked).includes(SECRET));
    assert.deepEqual(parseBuildFile(renderBuildFile(masked)), masked);
    assert.deepEqual([masked.build.verdict?.message, masked.artifacts?.junit?.failed[0]?.message], ["it said ***", "***"]);
  });

  test("has the sentence of a failure masked, and the word of a rule not", () => {
    const of = (result: string, rule: string) => {
      const build: BuildFile["build"] = { ...FILE.build, verdict: { result, class: "failure", rule, message: "m" } };
      return mask({ ...FILE, build }, SECRET, "TIMED_OUT").build.verdict?.result;
    };
    assert.equal(of(`no login as ${SECRET}`, "exit-code"), "no login as ***");
    assert.equal(of("TIMED_OUT", "run-timeout"), "TIMED_OUT");
  });
});
