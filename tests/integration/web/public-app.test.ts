import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { StoredBuildSource } from "../../../src/logs/stores/stored-build-source.ts";
import { StoredBuilds } from "../../../src/logs/stores/stored-builds.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { BusyError } from "../../../src/runtime/errors.ts";
import { GrownLog } from "../../support/pages/grown-log.ts";
import { makeSampleSources, pastBuilds, RUNNING, sampleBuild } from "../../support/pages/sample-pages.ts";
import { servePages } from "../../support/pages/serve-pages.ts";
import { storeBuild } from "../../support/pages/store-build.ts";
import { silentLogger } from "../../support/silent-logger.ts";

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

  test("says where too many logs are read, on a build's page beside what else there is, and elsewhere in place of the log", async () => {
    const log = async () => {
      throw new BusyError("16 logs are read already");
    };
    await using served = await servePages(makeSampleSources([RUNNING], new Map([[RUNNING.number, new GrownLog("a\n")]]), { log }));
    const get = (path: string) => fetch(`${served.url}${path}`, { headers: { connection: "close" } });
    const page = await get(`/builds/${RUNNING.number}`);
    assert.equal(page.status, 200);
    const text = await page.text();
    assert.match(text, /The log is not shown: 16 logs are read already\. Load the page again\./);
    assert.ok(text.includes("ZUUL_REF"));
    for (const path of ["", "/raw"]) {
      const refusal = await get(`/builds/${RUNNING.number}/logs/test${path}`);
      assert.deepEqual([refusal.status, refusal.headers.get("retry-after")], [503, "5"]);
      assert.match(await refusal.text(), /16 logs are read already\./);
    }
    const stream = await get(`/api/v1/builds/${RUNNING.number}/logs/test/stream`);
    assert.deepEqual([stream.status, await stream.json()], [503, { error: "16 logs are read already." }]);
  });

  test("says where what keeps a log does not answer, and shows what else there is of its build", async () => {
    const log = new GrownLog("a\n");
    log.read = () => Promise.reject(new BusyError("What keeps logs has not answered"));
    await using served = await servePages(makeSampleSources([RUNNING], new Map([[RUNNING.number, log]])));
    const get = async (path: string) => {
      const answer = await fetch(`${served.url}/builds/${RUNNING.number}${path}`, { headers: { connection: "close" } });
      return [answer.status, await answer.text()] as const;
    };
    const [status, page] = await get("");
    assert.equal(status, 200);
    assert.match(page, /The log is not shown: What keeps logs has not answered\. Load the page again\./);
    assert.ok(page.includes("ZUUL_REF"));
    assert.equal((await get("/logs/test"))[0], 503);
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
    assert.deepEqual([one.verdict.rule, one.logs, one.details.parameters.length], ["exit-code", ["test"], 3]);
    assert.deepEqual((await json("/tasks")).tasks[0].failures, [{ branch: "master", failed: 4, of: 40, flaky: 4 }]);
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

describe("builds that are only in the store", () => {
  const GONE = sampleBuild({
    number: "nova-unit-00000000000000cc",
    jobName: "nova-unit-00000000000000cc",
    endedAt: "2026-11-28T09:00:00Z",
  });
  const ARTIFACTS = { "page.html": "<script>alert(1)</script>", "a/ü %41.txt": "0123456789", "empty.txt": "" };

  async function startWithStore(stored: Partial<StoredBuildSource> = {}, live = [RUNNING, FAILED]) {
    const directory = await mkdtemp(join(tmpdir(), "th-pages-"));
    const store = new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger });
    await storeBuild(store, {
      ...{ report: GONE, text: "a\nb\nc\nd\n", cut: { from: 2, to: 4 }, artifacts: ARTIFACTS },
      changes: {
        commits: [{ project: "openstack/nova", ref: "refs/zuul/master/Z1", commit: "0a1b2c", subject: "Mend it", url: "https://zuul/p" }],
        problems: ["The log of db may not be whole: the disk was full."],
      },
    });
    const found = new StoredBuilds(store);
    const source = new StoredBuildSource({ store, builds: found, clock: systemClock, logger: silentLogger });
    const sources = makeSampleSources(live, new Map(), {
      stored: { find: (n) => source.find(n), recent: () => source.recent(), ...stored },
    });
    const served = await servePages(sources);
    return {
      get: (path: string, headers: Record<string, string> = {}, method = "GET") =>
        fetch(served.url + path, { method, redirect: "manual", headers: { connection: "close", ...headers } }),
      async [Symbol.asyncDispose]() {
        await served[Symbol.asyncDispose]();
        await source.stop();
        store.close();
        await rm(directory, { recursive: true });
      },
    };
  }

  test("have the same page, log and API as those with a Job", async () => {
    await using served = await startWithStore();
    const page = await (await served.get(`/builds/${GONE.number}`)).text();
    for (const text of ["2 of 314 tests failed", "Mend it", "page.html", "the disk was full", "docker run", "2 bytes are not kept here"]) {
      assert.ok(page.includes(text), text);
    }
    const log = await served.get(`/builds/${GONE.number}/logs/test/raw`);
    assert.equal(await log.text(), "a\nc\nd\n", "no words of ours");
    // biome-ignore lint/suspicious/noExplicitAny: what the answers are is what is tested
    const json = async (path: string): Promise<any> => (await served.get(`/api/v1${path}`)).json();
    const one = await json(`/builds/${GONE.number}`);
    assert.deepEqual(
      [one.verdict.rule, one.isStored, one.logs, one.artifacts.files.length, one.commits[0].commit, one.containers[0].name],
      ["exit-code", true, ["test"], 3, "0a1b2c", "test"],
    );
    const listed = await json("/builds?standing=ended");
    assert.deepEqual(
      listed.builds.map(({ number }: { number: string }) => number),
      [FAILED.number, GONE.number],
      "by the time of their end",
    );
    assert.deepEqual((await json("/tasks")).tasks[0].last.length, 2);
  });

  test("give artifacts as what can do no harm, whole or a range, and nothing else", async () => {
    await using served = await startWithStore();
    const at = (path: string) => `/builds/${GONE.number}/artifacts/${path}`;
    const page = await served.get(at("page.html"));
    assert.deepEqual(
      ["content-type", "content-disposition", "x-content-type-options"].map((name) => page.headers.get(name)),
      ["application/octet-stream", "attachment", "nosniff"],
    );
    assert.match(page.headers.get("content-security-policy") ?? "", /^sandbox/);
    const text = at(["a", "ü %41.txt"].map(encodeURIComponent).join("/"));
    const href = (await (await served.get(`/builds/${GONE.number}`)).text()).match(/href="\.\.([^"]*artifacts\/a[^"]*)"/)?.[1];
    assert.equal(href, text);
    assert.equal(await (await served.get(text)).text(), "0123456789");
    const part = await served.get(text, { range: "bytes=2-4" });
    assert.deepEqual([part.status, await part.text(), part.headers.get("content-range")], [206, "234", "bytes 2-4/10"]);
    assert.equal((await served.get(text, {}, "HEAD")).headers.get("content-length"), "10");
    assert.equal(await (await served.get(at("empty.txt"))).text(), "");
    for (const path of ["console.log", "../build.json", "%2e%2e/build.json", "a", ".build", "none.txt"]) {
      assert.equal((await served.get(at(path))).status, 404, path);
    }
  });

  test("are said to be out of reach, not gone, while the store does not answer; those with a Job are shown", async () => {
    const find = () => Promise.reject(new Error("the store is away"));
    await using served = await startWithStore({ find, recent: find });
    const gone = await served.get(`/builds/${GONE.number}`);
    assert.deepEqual([gone.status, /the log store, which may know it, does not answer/.test(await gone.text())], [503, true]);
    const live = await served.get(`/builds/${FAILED.number}`);
    assert.deepEqual([live.status, /The log store does not answer/.test(await live.text())], [200, true]);
    assert.equal((await served.get(`/builds/${RUNNING.number}`)).status, 200);
    assert.equal((await served.get("/builds")).status, 200);
  });

  test("are not mixed up with a Job that was made later for the same number", async () => {
    const later = { ...GONE, jobName: `${GONE.number}-r1`, node: "another-node" };
    await using served = await startWithStore({}, [later]);
    // biome-ignore lint/suspicious/noExplicitAny: what the answers are is what is tested
    const one: any = await (await served.get(`/api/v1/builds/${GONE.number}`)).json();
    assert.deepEqual([one.node, one.isStored, one.logs], ["another-node", false, []]);
  });
});
