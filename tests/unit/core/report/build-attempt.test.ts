import assert from "node:assert/strict";
import { test } from "node:test";
import { RELAUNCH_ANNOTATION } from "../../../../src/core/kubernetes/labels.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { attemptOf } from "../../../../src/core/report/build-attempt.ts";

const BUILD = "aaaaaaaaaaaaaaaa";

function launch(uid: string, creationTimestamp: string, key: string | undefined): Job {
  const annotations = key === undefined ? {} : { [RELAUNCH_ANNOTATION]: key };
  return { metadata: { name: uid, uid, creationTimestamp, annotations } };
}

test("an attempt is counted among the launches of the same build that came before, whatever they asked for", () => {
  const first = launch("1", "2026-11-28T09:00:00Z", `${BUILD}-x`);
  const second = launch("2", "2026-11-28T09:00:09Z", `${BUILD}-y`);
  const third = launch("3", "2026-11-28T09:00:10Z", `${BUILD}-x`);
  const other = launch("4", "2026-11-28T09:00:00Z", "bbbbbbbbbbbbbbbb-x");
  const all = [third, other, first, second];
  assert.deepEqual(
    [first, second, third, other].map((job) => attemptOf(job, all)),
    [1, 2, 3, 1],
  );
});

test("an attempt is not known where nothing tells which launches are of one build", () => {
  const old = launch("1", "2026-11-28T09:00:00Z", "x");
  const none = launch("2", "2026-11-28T09:00:01Z", undefined);
  assert.deepEqual([attemptOf(old, [old, none]), attemptOf(none, [old, none])], [undefined, undefined]);
});
