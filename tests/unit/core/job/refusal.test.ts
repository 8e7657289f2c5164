import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { refuseBuild } from "../../../../src/core/job/refusal.ts";
import { configuration } from "../../../../src/core/verdict/verdict.ts";
import { parseParameters } from "../../../../src/core/zuul/parameters.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

/** What Zuul gets for a build of a task with this spec; undefined when it is taken. */
function refusalOf(spec: object, parameters: object = {}, keepsLogs = true): string | null | undefined {
  const parsed = parseParameters(Buffer.from(JSON.stringify(parameters)));
  assert.ok(parsed.ok);
  const refusal = refuseBuild(makeTask(spec), parsed.parameters, keepsLogs);
  return refusal && configuration(refusal.rule, refusal.why).result;
}

describe("a build", () => {
  test("is taken from any pipeline where the task names none", () => {
    assert.equal(refusalOf({}, { ZUUL_PIPELINE: "check" }), undefined);
    assert.equal(refusalOf({}), undefined);
  });

  test("is taken from the pipelines that the task names", () => {
    assert.equal(refusalOf({ pipelines: ["gate", "post"] }, { ZUUL_PIPELINE: "post" }), undefined);
  });

  test("of another pipeline is refused with its name", () => {
    assert.equal(
      refusalOf({ pipelines: ["gate"] }, { ZUUL_PIPELINE: "check" }),
      "CONFIG_ERROR - pipeline check is none of those that TestTask unit takes builds of",
    );
  });

  test("is refused when its pipeline only resembles one that is taken", () => {
    for (const ZUUL_PIPELINE of ["Gate", "gate ", "gate\0", ["gate"], { gate: 1 }, null, "", 1]) {
      assert.match(refusalOf({ pipelines: ["gate"] }, { ZUUL_PIPELINE }) ?? "", /^CONFIG_ERROR - /, JSON.stringify(ZUUL_PIPELINE));
    }
  });

  test("that names no pipeline is refused where the task names some", () => {
    for (const parameters of [{}, { ZUUL_PIPELINE: "" }, { ZUUL_PIPELINE: null }]) {
      assert.match(
        refusalOf({ pipelines: ["gate"] }, parameters) ?? "",
        /^CONFIG_ERROR - TestTask unit takes builds of certain pipelines only/,
      );
    }
  });

  test("with a pipeline of any length and content gets a result that Zuul can take", () => {
    const result = refusalOf({ pipelines: ["gate"] }, { ZUUL_PIPELINE: `a|b:c@\n${"x".repeat(5000)}` }) ?? "";
    assert.match(result, /^CONFIG_ERROR - pipeline a.* is none of those that TestTask/);
    assert.ok(result.length <= 120 && !/[:|@\n]/.test(result), result);
  });

  test("of a task with checks is taken where logs are kept, and what is checked can be", () => {
    const checks = [{ name: "a", pattern: { regex: "x" } }];
    assert.equal(refusalOf({ checks }), undefined);
    assert.equal(
      refusalOf({ checks }, {}, false),
      "CONFIG_ERROR - TestTask unit has checks, and this installation keeps no logs - set logs.store",
    );
    assert.equal(refusalOf({ checks: [] }, {}, false), undefined);
    assert.equal(
      refusalOf({ checks: [...checks, { name: "b", steps: { start: "(a" } }] }),
      "CONFIG_ERROR - TestTask unit - spec.checks[1].steps.start is no regular expression (RE2) - missing closing ) - (a",
    );
  });

  describe("of a task with datasets", () => {
    const datasets = [
      { name: "nova", configMap: { name: "a" }, projects: ["openstack/nova"] },
      { name: "stable", configMap: { name: "a" }, projects: ["openstack/glance"], branches: ["stable/2024.1"] },
      { name: "small", configMap: { name: "a" }, projects: ["openstack/swift"] },
      { name: "large", configMap: { name: "a" }, projects: ["openstack/swift"] },
    ];
    test("is taken where one matches", () => {
      assert.equal(refusalOf({ datasets }, { ZUUL_PROJECT: "openstack/nova", ZUUL_BRANCH: "master" }), undefined);
      assert.equal(refusalOf({ datasets }, { ZUUL_PROJECT: "openstack/glance", ZUUL_BRANCH: "stable/2024.1" }), undefined);
    });
    test("is refused where none matches, with what was looked for", () => {
      assert.equal(
        refusalOf({ datasets }, { ZUUL_PROJECT: "openstack/glance", ZUUL_BRANCH: "master" }),
        "CONFIG_ERROR - no dataset of TestTask unit matches openstack/glance, master",
      );
      assert.equal(refusalOf({ datasets }), "CONFIG_ERROR - no dataset of TestTask unit matches no project, no branch");
    });
    test("is none to run where none matches and the task says so", () => {
      const parsed = parseParameters(Buffer.from(JSON.stringify({ ZUUL_PROJECT: "openstack/glance" })));
      assert.ok(parsed.ok);
      assert.deepEqual(refuseBuild(makeTask({ datasets, whenNoDataset: "succeed" }), parsed.parameters, true), {
        rule: "dataset-not-needed",
        why: "no dataset of TestTask unit matches openstack/glance, no branch",
      });
    });
    test("is taken where several match, to be run on each of them", () => {
      assert.equal(refusalOf({ datasets }, { ZUUL_PROJECT: "openstack/swift", ZUUL_BRANCH: "master" }), undefined);
    });
  });
});
