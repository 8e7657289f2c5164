import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const TESTS = join(import.meta.dirname, "../..");

test("a test that leaves a timer, listener, socket or process behind fails, is named, and what it left is told", () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env; // else the runner within takes itself for a test file
  const { status, stdout } = spawnSync(
    process.execPath,
    ["--test", "--test-reporter=tap", "--import", join(TESTS, "support/leak-check.ts"), join(TESTS, "fixtures/leaks/leaking.test.ts")],
    { env: { ...env, TH_LEAK_SETTLE_MS: "50" }, encoding: "utf8" },
  );
  assert.equal(status, 1, stdout);
  const lines = stdout.split("\n").map((line) => line.trim());
  const outcomes = lines.filter((line) => /^(not )?ok \d+ - (?!inner|\/)/.test(line)).map((line) => line.replace(/ \d+ -/, ""));
  assert.deepEqual(outcomes, [
    "not ok timer",
    "ok tidy: stops everything in its own after",
    "not ok listener",
    "not ok socket",
    "not ok process",
    "not ok failed: is told by its own error",
  ]);
  for (const left of ["1 Timeout", "1 TCPServerWrap", "2 TCPSocketWrap", "1 ProcessWrap"])
    assert.match(stdout, new RegExp(`the test has left ${left}`));
  assert.match(stdout, /listener on .*127\.0\.0\.1/);
  assert.match(stdout, /process \d+: sleep 60/);
  assert.match(stdout, /its own/);
});
