import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { performSubmit } from "../../../src/commands/submit.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { findFreePort } from "../../support/free-port.ts";
import type { GearmanServer } from "../../support/gearman/gearman-server.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { GrownLog } from "../../support/pages/grown-log.ts";
import { makeSampleSources, RUNNING, WAITING } from "../../support/pages/sample-pages.ts";
import { servePages } from "../../support/pages/serve-pages.ts";
import { Inbox } from "../gearman/worker/link-harness.ts";
import { startRawWorker } from "./raw-worker.ts";

describe("submit in a terminal", () => {
  let server: GearmanServer;
  before(async () => {
    server = await startGearmand();
  });
  after(() => server?.stop());

  function submit() {
    const lines = new Inbox<string>();
    const { signal } = new AbortController();
    const exited = performSubmit(
      "unit",
      { server: server.address, project: "openstack/nova", pipeline: "check" },
      {
        ...{ clock: systemClock, stop: signal, leave: signal },
        print: (line) => lines.push(line.replace(/^\S+ s +/, "")),
        printError: (line) => lines.push(`error: ${line}`),
      },
    );
    return { lines, exited };
  }

  /** A build's worker, which tells this page and ends when it is told to. */
  async function takeBuild(url: string) {
    const worker = await startRawWorker(server.address, ["build:unit"]);
    const submitted = submit();
    const job = await worker.jobs.next();
    const data = { name: "unit", number: RUNNING.number, manager: "m", url };
    job.data(data);
    return {
      ...submitted,
      finish() {
        job.data({ ...data, result: "SUCCESS" });
        job.complete({ ...data, result: "SUCCESS" });
      },
      [Symbol.dispose]: () => worker[Symbol.dispose](),
    };
  }

  test("shows the log while it grows, each line behind a bar, and the result last", async () => {
    const log = new GrownLog("first\n");
    await using served = await servePages(makeSampleSources([RUNNING, WAITING], new Map([[RUNNING.number, log]])));
    using build = await takeBuild(`${served.url}/builds/${RUNNING.number}`);
    const { lines, exited } = build;
    await lines.until((items) => items.includes("  | first"));
    log.print("SUCCESS, http://faked\n\x1b[2Jsecond\n");
    await lines.until((items) => items.includes("  | second"));
    build.finish();
    log.print("last");
    log.end();
    assert.equal(await exited, 0);
    const [bar, end] = [lines.items.filter((line) => line.startsWith("  | ")), lines.items.at(-1) ?? ""];
    assert.deepEqual(bar, ["  | first", "  | SUCCESS, http://faked", "  | second", "  | last"]);
    assert.match(end, /SUCCESS, http/);
    assert.ok(!end.startsWith("  |"));
  });

  test("says once that the log is not to be had, and follows the build all the same", async () => {
    using build = await takeBuild(`http://127.0.0.1:${await findFreePort()}/builds/${RUNNING.number}`);
    const { lines, exited } = build;
    await lines.until((items) => items.some((line) => line.startsWith("error: ")));
    build.finish();
    assert.equal(await exited, 0);
    const errors = lines.items.filter((line) => line.startsWith("error: "));
    assert.equal(errors.length, 1);
    assert.match(errors[0] ?? "", /the log is not shown: nothing answers at http/);
  });
});
