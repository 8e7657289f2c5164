import assert from "node:assert/strict";
import { test } from "node:test";
import { Tallies } from "../../../../src/controllers/builds/tallies.ts";

test("builds are counted by TestTask while they are under way, as waiting until they are placed, and the last one is remembered", () => {
  const pendings: number[] = [];
  let activities = 0;
  const tallies = new Tallies({ onActivity: () => (activities += 1), onPending: (count) => void pendings.push(count) });
  tallies.noteBegin("ci/a");
  tallies.noteBegin("ci/a");
  tallies.noteBegin("ci/b");
  assert.deepEqual(
    [...tallies.active],
    [
      ["ci/a", 2],
      ["ci/b", 1],
    ],
  );
  assert.deepEqual(
    [...tallies.pendingByTask],
    [
      ["ci/a", 2],
      ["ci/b", 1],
    ],
  );
  tallies.notePlaced("ci/a");
  tallies.notePlaced("ci/b");
  assert.deepEqual([...tallies.pendingByTask], [["ci/a", 1]]);
  const last = { number: "a-1", result: "SUCCESS", url: "http://b/1", finishedAt: "2026-11-01T00:00:00Z" };
  tallies.noteEnd("ci/a", last);
  tallies.noteEnd("ci/b", undefined);
  assert.deepEqual([tallies.activeOf("ci/a"), tallies.activeOf("ci/b"), [...tallies.active]], [1, 0, [["ci/a", 1]]]);
  assert.deepEqual([tallies.lastOf("ci/a"), tallies.lastOf("ci/b")], [last, undefined]);
  assert.deepEqual([tallies.pending, pendings, activities], [1, [1, 2, 3, 2, 1, 1, 1], 5]);
  tallies.noteEnd("ci/b", last);
  tallies.keep(new Set(["ci/b"]));
  assert.deepEqual([tallies.lastOf("ci/a"), tallies.lastOf("ci/b")], [undefined, last], "that of a task that is gone is forgotten");
});

test("of a task whose builds no node takes it is known how many, and what is said of the one that waits longest", () => {
  let activities = 0;
  const tallies = new Tallies({ onActivity: () => (activities += 1), onPending() {} });
  assert.equal(tallies.waitOf("ci/a"), undefined);
  tallies.noteWait("ci/a", "a-1", { words: "young", sinceMs: 20 });
  tallies.noteWait("ci/a", "a-2", { words: "old", sinceMs: 10 });
  tallies.noteWait("ci/b", "b-1", { words: "other", sinceMs: 5 });
  assert.deepEqual(tallies.waitOf("ci/a"), { builds: 2, first: { words: "old", sinceMs: 10 } });
  tallies.noteWait("ci/a", "a-2", { words: "other words", sinceMs: 10 });
  assert.deepEqual(tallies.waitOf("ci/a"), { builds: 2, first: { words: "other words", sinceMs: 10 } });
  tallies.noteWait("ci/a", "a-2", undefined);
  assert.deepEqual(tallies.waitOf("ci/a"), { builds: 1, first: { words: "young", sinceMs: 20 } });
  tallies.noteWait("ci/a", "a-1", undefined);
  assert.deepEqual([tallies.waitOf("ci/a"), tallies.waitOf("ci/b")?.builds, activities], [undefined, 1, 6]);
});
