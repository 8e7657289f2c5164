import assert from "node:assert/strict";
import { chmodSync, closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { renderCollector } from "../../../../src/core/job/collector-container.ts";
import { GRACE_OVER_FILE } from "../../../../src/core/job/pod-volumes.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";
import { waitUntil } from "../../../../tools/machine/wait-until.ts";
import { type Child, startChild } from "../../../support/child-process.ts";

const SETTINGS = { image: "i", installation: "test", internalUrl: "http://operator:8081" };

/** The container's own command, with a program that prints how it was called in place of ours. */
async function startWaiting(context: TestContext, graceSeconds: number, script?: string): Promise<Child & { over: string }> {
  const spec = { image: "i", artifacts: { paths: ["a b", "$(HOME)"] }, ...(script === undefined ? {} : { script }) };
  const parsed = parseTestTask({
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name: "unit", namespace: "ci" },
    spec,
  });
  assert.ok(parsed.ok);
  const pod = { containers: [], terminationGracePeriodSeconds: graceSeconds };
  const container = renderCollector(SETTINGS, parsed.task.spec, { pod, test: { name: "test" }, number: "unit-1" });
  const directory = mkdtempSync(join(tmpdir(), "th-wait-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const over = join(directory, "over");
  // As the kubelet does where no variable is meant, and where its volumes are.
  const words = container.command?.map((text) => text.replaceAll("$$", "$").replace(GRACE_OVER_FILE, over)) ?? [];
  const [command = "", ...args] = words;
  const program = join(directory, "turbo-hipster");
  writeFileSync(program, '#!/bin/sh\nprintf "<%s>" "$@"; echo\n');
  chmodSync(program, 0o755);
  const child = await startChild({ command, args, env: { PATH: `${directory}:${process.env.PATH}` } });
  // It waits once it has a child.
  await waitUntil("the shell to wait", 10_000, () => {
    const hasChild = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8") !== "";
    return hasChild && (script === undefined || existsSync(over));
  });
  assert.equal(child.log(), "");
  return { ...child, over };
}

const CALLED =
  "<collect><--url><http://operator:8081/builds/unit-1/artifacts><--token-file></run/turbo-hipster/collector/token>" +
  "<--directory></run/turbo-hipster/artifacts><--working-directory></workspace><--timeout><10m><--path><a b><--path><$(HOME)>\n";

describe("the collector's container", () => {
  test("collects when the test has ended", async (context) => {
    const child = await startWaiting(context, 600);
    child.kill("SIGTERM");
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.equal(child.log(), CALLED);
  });

  test("does not wait for the end of a test whose own grace is over", async (context) => {
    const child = await startWaiting(context, 1);
    child.kill("SIGUSR1");
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.equal(child.log(), CALLED);
  });

  test("tells the runner of a script when its own grace is over, and nobody before that", async (context) => {
    for (const [graceSeconds, signals, said] of [
      [1, ["SIGUSR1"], "over\n"],
      [600, ["SIGUSR1", "SIGTERM"], ""],
    ] as const) {
      const child = await startWaiting(context, graceSeconds, "exit 0");
      const runner = openSync(child.over, constants.O_RDONLY | constants.O_NONBLOCK);
      context.after(() => closeSync(runner));
      for (const signal of signals) child.kill(signal);
      await child.exited;
      assert.equal(child.log(), CALLED);
      assert.equal(readFileSync(runner, "utf8"), said);
    }
  });

  test("collects at once when a test that is being ended has ended", async (context) => {
    const child = await startWaiting(context, 600);
    child.kill("SIGUSR1");
    child.kill("SIGTERM");
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.equal(child.log(), CALLED);
  });
});
