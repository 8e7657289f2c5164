import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type RightAnswer,
  renderAccess,
  renderDefinition,
  renderHolder,
  renderRights,
  renderTasks,
} from "../../../../src/commands/doctor/cluster-findings.ts";
import type { Finding } from "../../../../src/commands/doctor/finding.ts";
import { neededRights, rightQuestions } from "../../../../src/core/kubernetes/needed-rights.ts";
import { taskObject } from "../../../support/objects/test-tasks.ts";

const QUESTIONS = rightQuestions(neededRights("th", true), { namespaces: ["ci", "other"], own: "ci" });

function answers(judge: (right: string, namespace: string | undefined) => boolean | undefined, questions = QUESTIONS): RightAnswer[] {
  return questions.map((question) => {
    const { resource, subresource } = question.right;
    return { question, isAllowed: judge(`${question.verb} ${resource}${subresource ? `/${subresource}` : ""}`, question.namespace) };
  });
}

const brief = (findings: readonly Finding[]) => findings.map(({ what, state }) => `${state} ${what}`);

describe("what the API server lets do", () => {
  test("is a line for each namespace, and one for the cluster", () => {
    const findings = renderRights(answers(() => true));
    assert.deepEqual(brief(findings), ["ok rights in ci", "ok rights in other", "ok rights, cluster"]);
    assert.match(findings[0]?.says ?? "", /^all that .*\(29\)$/);
    assert.match(findings[1]?.says ?? "", /^all that .*\(20\)$/);
  });

  test("is asked of all namespaces together where all are served, and of that of the Leases", () => {
    const questions = rightQuestions(neededRights("th", true), { namespaces: undefined, own: "operators" });
    const [ofCluster, own] = renderRights(answers((right, namespace) => !(namespace === undefined && right === "create jobs"), questions));
    assert.deepEqual([ofCluster?.what, ofCluster?.says], ["rights, cluster", "may not create jobs.batch"]);
    assert.match(ofCluster?.remedy ?? "", /ClusterRole/);
    assert.deepEqual([own?.what, own?.state], ["rights in operators", "ok"]);
    assert.match(own?.says ?? "", /^all that .*\(9\)$/);
  });

  test("names what is missing where it is missing, as kubectl auth can-i takes it", () => {
    const findings = renderRights(answers((right, namespace) => !(namespace === "other" && /patch (jobs|testtasks)/.test(right))));
    assert.deepEqual(brief(findings), ["ok rights in ci", "failed rights in other", "ok rights, cluster"]);
    assert.equal(findings[1]?.says, "may not patch testtasks.turbo-hipster.io/status, patch jobs.batch");
    assert.match(findings[1]?.remedy ?? "", /Role/);
  });

  test("is a warning where the operator does without", () => {
    const findings = renderRights(answers((right) => right !== "get secrets" && right !== "create tokenreviews"));
    assert.deepEqual(brief(findings), ["warning rights in ci", "warning rights in other", "warning rights, cluster"]);
    assert.equal(findings[0]?.says, "may not get secrets: values of Secrets are not masked in logs");
    assert.match(findings[2]?.says ?? "", /artifacts of builds are refused/);
  });

  test("is not seen where the server does not say", () => {
    const findings = renderRights(answers((right) => (right === "get secrets" ? undefined : true)));
    assert.deepEqual(brief(findings), ["unseen rights in ci", "unseen rights in other", "ok rights, cluster"]);
  });

  test("is that of the operator for a ServiceAccount alone", () => {
    assert.equal(renderAccess("the API server", "system:serviceaccount:ci:th").state, "ok");
    assert.equal(renderAccess("the API server", undefined).state, "ok");
    const other = renderAccess("the API server", "kubernetes-admin");
    assert.equal(other.state, "warning");
    assert.match(other.remedy ?? "", /kubectl exec/);
  });
});

describe("the definition", () => {
  const same = { lacking: [], foreign: [], hasOtherRules: false };
  for (const [name, difference, state, says] of [
    ["none", undefined, "failed", /knows no TestTasks/],
    ["the same", same, "ok", /has the fields and rules of 1\.0/],
    ["older", { ...same, lacking: ["spec.checks"] }, "failed", /lacks spec\.checks, which 1\.0 knows$/],
    ["newer", { ...same, foreign: ["spec.new"] }, "warning", /newer version: 1\.0 knows no spec\.new/],
    ["another", { ...same, lacking: ["spec.a"], foreign: ["spec.b"] }, "failed", /lacks spec\.a.*has spec\.b/],
    ["of other rules", { ...same, hasOtherRules: true }, "warning", /other rules/],
  ] as const) {
    test(`is told: ${name}`, () => {
      const finding = renderDefinition(difference, "1.0");
      assert.equal(finding.state, state);
      assert.match(finding.says, says);
    });
  }
});

test("who holds the Lease takes builds", () => {
  const lease = (holderIdentity: string) => ({ metadata: { name: "th" }, spec: { holderIdentity } });
  assert.equal(renderHolder(undefined, true, "th").state, "failed");
  assert.equal(renderHolder(lease(""), true, "th").state, "failed");
  assert.match(renderHolder(lease("a-1"), true, "th").says, /^a-1 holds/);
  const crashed = renderHolder(lease("a-1"), false, "th");
  assert.deepEqual([crashed.state, crashed.says], ["failed", "a-1 stands in the Lease th, and does not renew it"]);
});

describe("TestTasks", () => {
  const condition = (type: string, status: string, reason: string, message = "m") => ({
    ...{ type, status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" },
  });
  const ready = condition("Ready", "True", "Serving");
  const task = (name: string, conditions: object[], more: object = {}) => ({
    ...taskObject({}, { name, generation: 2 }),
    status: { observedGeneration: 2, conditions },
    ...more,
  });

  for (const [name, object, state, says] of [
    ["ready", task("a", [ready]), "ok", /1 of 1/],
    [
      "ready, by a newer operator",
      task("a", [{ ...ready, more: 1 }], { status: { observedGeneration: 2, conditions: [ready], more: 1 } }),
      "ok",
      /1 of 1/,
    ],
    ["suspended", task("a", [condition("Ready", "False", "Suspended")]), "ok", /1 of 1/],
    ["in conflict", task("a", [condition("Ready", "False", "FunctionConflict", "older")]), "failed", /^FunctionConflict: older/],
    ["refused by the API server", task("a", [condition("Ready", "False", "TemplateRefused", "no")]), "failed", /^TemplateRefused: no/],
    ["never looked at", { ...taskObject({}, { name: "a", generation: 1 }) }, "warning", /has not looked at it/],
    ["changed since", task("a", [ready], { status: { observedGeneration: 1, conditions: [ready] } }), "warning", /has not looked at it/],
    ["with warnings", task("a", [ready, condition("TemplateValid", "True", "AcceptedWithWarnings", "w")]), "warning", /^w$/],
    ["degraded", task("a", [ready, condition("Degraded", "True", "BuildsLost", "3 in a row")]), "warning", /^BuildsLost: 3 in a row/],
    ["not known yet", task("a", [condition("Ready", "Unknown", "ReviewPending")]), "warning", /^ReviewPending/],
    ["invalid", task("a", [], { spec: { image: "" } }), "failed", /^is invalid: spec\.image/],
  ] as const) {
    test(`are told: ${name}`, () => {
      const [finding] = renderTasks([object], ["ci"]);
      assert.equal(finding?.state, state);
      assert.match(finding?.says ?? "", says);
    });
  }

  test("that are many are cut, and the worst of the rest is told", () => {
    const objects = Array.from({ length: 25 }, (_, index) => task(`t${index}`, [condition("Ready", "False", "TemplateRefused")]));
    const findings = renderTasks([...objects, task("well", [ready])], ["ci"]);
    assert.equal(findings.length, 22);
    assert.match(findings[0]?.says ?? "", /^1 of 26/);
    assert.deepEqual([findings.at(-1)?.state, findings.at(-1)?.says], ["failed", "5 more are not well"]);
    assert.equal(renderTasks([], ["ci"])[0]?.state, "warning");
  });
});
