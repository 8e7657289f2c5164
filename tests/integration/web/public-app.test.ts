import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GrownLog } from "../../support/pages/grown-log.ts";
import { makeSampleSources, pastBuilds, RUNNING, sampleBuild } from "../../support/pages/sample-pages.ts";
import { servePages } from "../../support/pages/serve-pages.ts";

const FAILED = sampleBuild();

async function start(log = new GrownLog("a\nb\nc\n")) {
  const logs = new Map([
    [FAILED.number, log],
    [RUNNING.number, log],
  ]);
  const served = await servePages(makeSampleSources([RUNNING, FAILED, ...pastBuilds(120)], logs));
  const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(served.url + path, { method, redirect: "manual", headers: { connection: "close", ...headers } });
  return { get, log, url: served.url, [Symbol.asyncDispose]: served[Symbol.asyncDispose] };
}

/** The events of a stream, as they come. */
async function* eventsOf(response: Response): AsyncGenerator<{ event: string; id: string; data: { lines?: { line: number }[] } }> {
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => line.split(/: (.*)/s, 2)),
      );
      text = text.slice(end + 2);
      if (fields.event) yield { event: fields.event, id: fields.id, data: JSON.parse(fields.data) };
    }
  }
}

async function first<T>(count: number, events: AsyncGenerator<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const event of events) if (taken.push(event) === count) break;
  return taken;
}

describe("the pages' server", () => {
  test("refuses what is none of its questions with a sentence, to people as a page and to programs as JSON", async () => {
    await using served = await start();
    const refusals: Record<string, number> = {
      "/builds/none-0000000000000000": 404,
      "/builds/UPPER": 404,
      "/builds/%2e%2e%2f": 404,
      "/builds?page=0": 400,
      "/builds?x=1": 400,
      "/builds?standing=maybe": 400,
      [`/builds/${FAILED.number}/logs/other`]: 404,
      [`/builds/${FAILED.number}/logs/test?line=x`]: 400,
      [`/builds/${FAILED.number}/logs/test?q=`]: 400,
      "/assets/pages.000000000000.js": 404,
    };
    for (const [path, status] of Object.entries(refusals)) {
      const page = await served.get(path);
      assert.deepEqual([page.status, page.headers.get("content-type")], [status, "text/html; charset=utf-8"], path);
      assert.match(await page.text(), /<p>[A-Z][^<]{10,}\.<\/p>/, path);
      if (path.startsWith("/assets")) continue;
      const answer = await served.get(`/api/v1${path.replace("line=", "from=").replace("logs/test?q", "logs/test/search?q")}`);
      assert.deepEqual([answer.status, typeof ((await answer.json()) as { error: unknown }).error], [status, "string"], path);
    }
    assert.equal((await served.get("/builds", {}, "POST")).status, 405);
  });

  test("lets no page do more than it must, and sends again only what has changed", async () => {
    await using served = await start();
    const page = await served.get("/builds", { "accept-encoding": "gzip" });
    const policy = page.headers.get("content-security-policy") ?? "";
    for (const part of ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "trusted-types 'none'"]) {
      assert.ok(policy.includes(part), part);
    }
    assert.equal(page.headers.get("content-encoding"), "gzip");
    assert.match(await page.text(), /page 1 of 3/);
    const tag = page.headers.get("etag") ?? "";
    assert.equal((await served.get("/builds", { "if-none-match": tag, "accept-encoding": "gzip" })).status, 304);
    const head = await served.get("/tasks", {}, "HEAD");
    assert.deepEqual([head.status, await head.text()], [200, ""]);
  });

  test("answers programs: builds by what they are, one build, tasks, lines of a log", async () => {
    await using served = await start();
    // biome-ignore lint/suspicious/noExplicitAny: what the answers are is what is tested
    const json = async (path: string): Promise<any> => (await served.get(`/api/v1${path}`)).json();
    const failed = await json("/builds?result=failure&page=1");
    assert.deepEqual([failed.total, failed.builds[0].number], [10, FAILED.number]);
    assert.equal((await json("/builds?change=4711,3&standing=running")).total, 1);
    const one = await json(`/builds/${FAILED.number}`);
    assert.deepEqual([one.verdict.rule, one.logs, one.details.parameters.length], ["other-exit", ["test"], 3]);
    assert.deepEqual((await json("/tasks")).tasks[0].failures, [{ branch: "master", failed: 4, of: 40 }]);
    const { lines, total } = await json(`/builds/${FAILED.number}/logs/test?from=2&count=2`);
    assert.deepEqual(
      [lines, total],
      [
        [
          { line: 2, pieces: [["b"]] },
          { line: 3, pieces: [["c"]] },
        ],
        3,
      ],
    );
  });

  test("gives the bytes of a log as they are, whole or a range of them, never as a page", async () => {
    await using served = await start(new GrownLog("<script>\n\x1b[31mé"));
    const path = `/builds/${FAILED.number}/logs/test/raw`;
    const whole = await served.get(path);
    assert.deepEqual([whole.headers.get("content-type"), await whole.text()], ["text/plain; charset=utf-8", "<script>\n\x1b[31mé"]);
    const part = await served.get(path, { range: "bytes=1-6" });
    assert.deepEqual([part.status, await part.text(), part.headers.get("content-range")], [206, "script", "bytes 1-6/16"]);
    assert.equal((await served.get(path, { range: "bytes=99-" })).status, 416);
  });

  test("reads a log once for many readers, and each gets all of it", { timeout: 60_000 }, async () => {
    await using served = await start();
    const path = `${served.url}/api/v1/builds/${RUNNING.number}/logs/test/stream`;
    const readers = await Promise.all(Array.from({ length: 50 }, async () => eventsOf(await fetch(path))));
    for (const reader of readers) assert.equal((await reader.next()).value?.id, "6.4");
    served.log.reads = 0;
    served.log.print("d\n");
    for (const reader of readers)
      assert.deepEqual(
        (await reader.next()).value?.data.lines?.map(({ line }: { line: number }) => line),
        [4],
      );
    assert.ok(served.log.reads <= 4, `${served.log.reads} reads`);
    served.log.end();
    for (const reader of readers) assert.equal((await reader.next()).value?.event, "end");
  });

  test("goes on where a stream was cut, and shows the end alone to who is far behind", async () => {
    await using served = await start();
    const path = `${served.url}/api/v1/builds/${RUNNING.number}/logs/test/stream`;
    const [event] = await first(1, eventsOf(await fetch(path, { headers: { "last-event-id": "2.2" } })));
    assert.deepEqual(
      event?.data.lines?.map(({ line }: { line: number }) => line),
      [2, 3],
    );
    served.log.print("x\n".repeat(5_000_000));
    const [skipped, next] = await first(2, eventsOf(await fetch(path)));
    assert.equal(skipped?.event, "skipped");
    assert.ok((next?.data.lines?.[0]?.line ?? 0) > 4_000_000);
  });
});
