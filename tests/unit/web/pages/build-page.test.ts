import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type BuildView, renderBuildPage } from "../../../../src/web/pages/build-page.ts";

const BUILD: BuildView = {
  number: "unit-0123456789abcdef",
  namespace: "ci",
  jobName: "unit-0123456789abcdef-r1",
  step: "running",
  pod: "unit-0123456789abcdef-r1-abcde",
  withdrawn: undefined,
  verdict: undefined,
};

function page(path: string, build?: Partial<BuildView>) {
  return renderBuildPage(path, (number) => (build && number === BUILD.number ? { ...BUILD, ...build } : undefined));
}

describe("renderBuildPage", () => {
  test("shows where a build stands, and how to read its log", () => {
    const answer = page(`/builds/${BUILD.number}`, {});
    assert.equal(answer?.status, 200);
    for (const text of ["Step       running", BUILD.pod, "kubectl --namespace ci logs job/unit-0123456789abcdef-r1 --follow"]) {
      assert.ok(answer.body.includes(String(text)), `${text} in ${answer.body}`);
    }
    assert.doesNotMatch(answer.body, /Result|Ending/);
  });

  test("shows the result and why, and a null result in words", () => {
    const verdict = { result: null, class: "infrastructure", rule: "pod-lost", message: "the pod was lost" } as const;
    const answer = page(`/builds/${BUILD.number}`, { verdict, withdrawn: "stop", pod: undefined });
    assert.match(
      answer?.body ?? "",
      /Pod {8}none yet\n[\s\S]*Ending {5}stop\nResult {5}none, Zuul runs it again\nBecause {4}the pod was lost/,
    );
  });

  test("does not know other builds", () => {
    const answer = page("/builds/other-1", {});
    assert.equal(answer?.status, 404);
    assert.match(answer.body, /other-1/);
  });

  for (const path of ["/", "/builds/", "/builds/A", "/builds/a/b", "/builds/%2e%2e", "/builds/a\nb", `/builds/${"a".repeat(254)}`]) {
    test(`is no page of a build: ${JSON.stringify(path.slice(0, 20))}`, () => assert.equal(page(path), undefined));
  }
});
