import assert from "node:assert/strict";
import { test } from "node:test";
import { installationSelector, recordedLabel, unrecordedSelectors } from "../../../../src/core/kubernetes/labels.ts";
import { managerName } from "../../../../src/core/zuul/stop-request.ts";

test("what an installation made is selected by two labels, and its manager bears its name", () => {
  assert.equal(installationSelector("a"), "app.kubernetes.io/managed-by=turbo-hipster,turbo-hipster.io/installation=a");
  assert.equal(managerName("a"), "turbo-hipster-a");
});

test("Jobs whose build is over are selected for ten minutes, and by a clock that is ten minutes wrong", () => {
  const now = new Date("2026-01-01T12:34:56Z");
  const [notOver, lately, ...more] = unrecordedSelectors(now);
  assert.equal(notOver, "!turbo-hipster.io/recorded");
  assert.deepEqual(more, []);
  const selected = /^turbo-hipster\.io\/recorded in \(([^)]*)\)$/.exec(lately ?? "")?.[1]?.split(",") ?? [];
  for (const minutes of [-10, -1, 0, 1, 10]) {
    assert.ok(selected.includes(recordedLabel(new Date(now.getTime() + minutes * 60_000))), `${minutes} minutes`);
  }
  for (const minutes of [-20, 20]) {
    assert.ok(!selected.includes(recordedLabel(new Date(now.getTime() + minutes * 60_000))), `${minutes} minutes`);
  }
});
