import assert from "node:assert/strict";
import { test } from "node:test";
import { installationSelector } from "../../../../src/core/kubernetes/labels.ts";
import { managerName } from "../../../../src/core/zuul/stop-request.ts";

test("what an installation made is selected by two labels, and its manager bears its name", () => {
  assert.equal(installationSelector("a"), "app.kubernetes.io/managed-by=turbo-hipster,turbo-hipster.io/installation=a");
  assert.equal(managerName("a"), "turbo-hipster-a");
});
