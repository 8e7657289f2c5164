import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sayImage } from "../../../../src/core/kubernetes/image-failure.ts";
import { cleanResultText } from "../../../../src/core/zuul/clean-result-text.ts";

describe("an image is named whole, in words that Zuul can carry:", () => {
  const rows: [string, string][] = [
    ["python", "python"],
    ["python:3.12", "python tag 3.12"],
    ["docker.io/library/python:3.12", "python tag 3.12"],
    ["docker.io/org/tests:1", "docker.io/org/tests tag 1"],
    ["registry:5000/ci/tests:1", "ci/tests tag 1 at registry port 5000"],
    ["registry:5000/ci/tests", "ci/tests at registry port 5000"],
    ["ghcr.io/org/tests@sha256:0123456789abcdef0123", "ghcr.io/org/tests digest sha256 0123456789ab"],
    ["r:1/a:b@sha256:0123456789abcdef0123", "a tag b digest sha256 0123456789ab at r port 1"],
    ["what:is:this", "what:is:this"],
  ];
  for (const [reference, said] of rows) test(reference, () => assert.equal(sayImage(reference), said));

  test("nothing of that is cleaned away", () => {
    for (const [, said] of rows.slice(0, -1)) assert.equal(cleanResultText(said, "ascii"), said);
  });
});
