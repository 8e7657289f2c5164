import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BuildFile } from "../../../../src/core/logs/build-file.ts";
import { maskValues } from "../../../../src/core/logs/masked-values.ts";
import { makeMasker } from "../../../../src/core/logs/masking.ts";
import { renderStoredPage } from "../../../../src/core/logs/stored-page.ts";

const HOSTILE = `"><script>alert(1)</script><img src=x onerror='a'>\u202e\u0007`;

/** Every text of it is hostile. */
const FILE: BuildFile = {
  version: 1,
  build: {
    ...{ number: HOSTILE, namespace: HOSTILE, task: HOSTILE, functionName: HOSTILE, jobName: HOSTILE, standing: "ended", step: "ended" },
    item: { project: HOSTILE, branch: HOSTILE, change: HOSTILE, patchset: HOSTILE, pipeline: HOSTILE },
    times: [{ step: "ended", at: HOSTILE }],
    ...{ pod: HOSTILE, node: HOSTILE },
    verdict: { result: HOSTILE, class: "failure", rule: HOSTILE, message: HOSTILE, evidence: { [HOSTILE]: HOSTILE } },
  },
  details: {
    parameters: [{ name: HOSTILE, value: HOSTILE }],
    containers: [{ name: HOSTILE, image: HOSTILE, isTest: true }],
    again: { kubectl: HOSTILE, docker: HOSTILE, needs: [HOSTILE] },
  },
  containers: [{ name: HOSTILE, image: HOSTILE, imageId: HOSTILE, exitCode: 1, reason: HOSTILE }],
  commits: [{ project: HOSTILE, ref: HOSTILE, commit: HOSTILE, subject: HOSTILE, url: HOSTILE }],
  logs: [
    {
      ...{ container: HOSTILE, file: HOSTILE, bytes: 9, runs: [], attempts: [], points: [] },
      holes: [{ offset: 1, after: HOSTILE, before: HOSTILE }],
      cut: { from: 2, to: 5 },
    },
  ],
  artifacts: {
    ...{ files: [{ path: `a/${HOSTILE}`, bytes: 1 }], bytes: 1, leftOut: [{ name: HOSTILE, why: HOSTILE }], leftOutCount: 3 },
    junit: {
      ...{ tests: 3, failures: 1, errors: 1, skipped: 1, seconds: 1, unread: [{ file: HOSTILE, why: HOSTILE }] },
      failed: [{ file: HOSTILE, name: HOSTILE, kind: "error", message: HOSTILE }],
    },
  },
  problems: [HOSTILE],
};

describe("the stored page", () => {
  test("runs nothing and turns nothing round, whatever a build holds", () => {
    const page = renderStoredPage(FILE, { text: HOSTILE, isCut: true });
    assert.doesNotMatch(page, /<script|<img|onerror='|\u202e/);
    assert.ok(!page.includes("\u0007"));
    assert.match(
      page.replaceAll("&#39;", "'"),
      /<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'/,
    );
    assert.ok(page.includes("&lt;script&gt;"));
  });

  test("tells the verdict first, what is missing, and links to what lies beside it", () => {
    const page = renderStoredPage(FILE, undefined);
    assert.match(page, /<main>\s*<h1 class="failure">/);
    assert.match(page, /3 bytes in the middle are not kept/);
    assert.match(page, /Lines may be missing at byte 1/);
    assert.match(page, /<a href="artifacts\/a\/[^"<>]*">/);
    assert.match(page, /3 tests, 2 failed, 1 were skipped/);
    assert.match(page, /2 more were left out/);
  });

  test("tells how to run it again, and what for that is not written out", () => {
    const again = { kubectl: "kubectl create -f - <<'END'", docker: "docker run --env=A=1&2 image", needs: ["PASSWORD: Secret db, key p"] };
    const page = renderStoredPage({ ...FILE, details: { parameters: [], containers: [], again } }, undefined);
    const section = /<section><h2>Run it again<\/h2>(.*?)<\/section>/s.exec(page)?.[1] ?? "";
    assert.match(section, /<pre tabindex="0">docker run --env=A=1&amp;2 image<\/pre>/);
    assert.match(section, /<pre tabindex="0">kubectl create -f - &lt;&lt;&#39;END&#39;<\/pre>/);
    assert.match(section, /<li><code>PASSWORD: Secret db, key p<\/code><\/li>/);
    const noDocker = renderStoredPage(
      { ...FILE, details: { parameters: [], containers: [], again: { ...again, docker: undefined } } },
      undefined,
    );
    assert.doesNotMatch(noDocker, /On your machine/);
    assert.doesNotMatch(renderStoredPage({ ...FILE, details: undefined }, undefined), /Run it again/);
  });
});

test("texts in what is kept of a build are masked at any depth, and what is no text stays", () => {
  const masker = makeMasker([{ name: "s", value: Buffer.from("swordfish") }]);
  const masked = maskValues({ a: ["x swordfish", 1, null], b: { c: "none", d: undefined, swordfish: true } }, masker);
  assert.deepEqual(masked, { a: ["x ***", 1, null], b: { c: "none", d: undefined, swordfish: true } });
});
