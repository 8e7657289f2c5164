import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { renderCollector } from "../../../../src/core/job/collector-container.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";
import { waitUntil } from "../../../../tools/machine/wait-until.ts";
import { type Child, startChild } from "../../../support/child-process.ts";

const SETTINGS = { image: "i", installation: "test", internalUrl: "http://operator:8081" };

/** The container's own command, with a program that prints how it was called in place of ours. */
async function startWaiting(context: TestContext, graceSeconds: number): Promise<Child> {
  const spec = { image: "i", artifacts: { paths: ["a b", "$(HOME)"] } };
  const parsed = parseTestTask({
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name: "unit", namespace: "ci" },
    spec,
  });
  assert.ok(parsed.ok);
  const pod = { containers: [], terminationGracePeriodSeconds: graceSeconds };
  const container = renderCollector(SETTINGS, parsed.task.spec, { pod, test: { name: "test" }, number: "unit-1" });
  // As the kubelet does where no variable is meant.
  const [command = "", ...args] = container.command?.map((text) => text.replaceAll("$$", "$")) ?? [];
  const directory = mkdtempSync(join(tmpdir(), "th-wait-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, "turbo-hipster");
  writeFileSync(program, '#!/bin/sh\nprintf "<%s>" "$@"; echo\n');
  chmodSync(program, 0o755);
  const child = await startChild({ command, args, env: { PATH: `${directory}:${process.env.PATH}` } });
  // It waits once it has a child.
  await waitUntil("the shell to wait", 10_000, () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8") !== "");
  assert.equal(child.log(), "");
  return child;
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

  test("collects at once when a test that is being ended has ended", async (context) => {
    const child = await startWaiting(context, 600);
    child.kill("SIGUSR1");
    child.kill("SIGTERM");
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.equal(child.log(), CALLED);
  });
});
