import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makePublicApp } from "../../../src/web/public-app.ts";
import { makeManualClock } from "../../support/manual-clock.ts";
import { GrownLog } from "../../support/pages/grown-log.ts";
import { makeSampleSources, sampleBuild } from "../../support/pages/sample-pages.ts";
import { silentLogger } from "../../support/silent-logger.ts";

const BUILD = sampleBuild();
/** Some megabytes, of which one is read at once; the last line has what is searched for. */
const TEXT = `${`${"x".repeat(99)}\n`.repeat(35_000)}Error: needle\n`;

function start(log: GrownLog) {
  const clock = makeManualClock();
  const app = makePublicApp(makeSampleSources([BUILD], new Map([[BUILD.number, log]])), { clock, logger: silentLogger });
  const path = `/builds/${BUILD.number}/logs/test`;
  const ask = async (url: string, remoteAddress = "192.0.2.1") =>
    app.request(`http://pages${url}`, {}, { incoming: { socket: { remoteAddress } } as never });
  return { clock, path, ask };
}

// biome-ignore lint/suspicious/noExplicitAny: what the answers are is what is tested
const json = async (answer: Response): Promise<any> => answer.json();

describe("a search", () => {
  test("whose log is read slowly says after a while how far it has come, and goes on from there", async () => {
    const log = new GrownLog(TEXT);
    const { clock, path, ask } = start(log);
    const read = log.read.bind(log);
    log.read = (...place) => {
      clock.skip(6000);
      return read(...place);
    };
    const parts = [];
    let from = "";
    do {
      const { lines, next } = await json(await ask(`/api/v1${path}/search?q=needle&from=${from}`));
      parts.push(lines.length);
      from = next;
    } while (from);
    assert.deepEqual([parts[0], parts.filter((count) => count > 0)], [0, [1]]);
    const first = await json(await ask(`/api/v1${path}/first-error`));
    assert.equal(first.line, null);
    let last = first;
    while (last.next) last = await json(await ask(`/api/v1${path}/first-error?from=${last.next}`));
    assert.deepEqual(last, { line: 35_001 });
    const redirect = await ask(`${path}/first-error`);
    assert.deepEqual([redirect.status, redirect.headers.get("location")], [303, `first-error?from=${first.next}`]);
    assert.equal(clock.pending, 0);
  });

  test("has its own words in its field, to be searched with others", async () => {
    const { path, ask } = start(new GrownLog(TEXT));
    const page = await (await ask(`${path}?q=%22%3E%3Cb%3Eneedle`)).text();
    const [form = ""] = /<form [^>]*role="search".*?<\/form>/.exec(page) ?? [];
    assert.match(form, /^<form action="[./]*\/builds\/[^"]+\/logs\/test" method="get"/);
    assert.match(form, /<input id="search" name="q" type="search" value="&quot;&gt;&lt;b&gt;needle"/);
  });

  test("of one address leaves room for others', and all leave room for pages", async () => {
    const log = new GrownLog(TEXT);
    const { path, ask, clock } = start(log);
    const gate = Promise.withResolvers<void>();
    const read = log.read.bind(log);
    log.read = async (...place) => {
      await gate.promise;
      return read(...place);
    };
    const search = (address: string) => ask(`/api/v1${path}/search?q=needle`, address);
    const running = [search("192.0.2.1"), search("192.0.2.1")];
    const refused = await search("192.0.2.1");
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
    running.push(search("192.0.2.2"), search("192.0.2.3"));
    assert.equal((await search("192.0.2.4")).status, 503);
    assert.equal((await ask("/builds")).status, 200);
    gate.resolve();
    for (const answer of await Promise.all(running)) assert.equal((await json(answer)).lines.length, 1);
    assert.equal((await search("192.0.2.1")).status, 200);
    assert.equal(clock.pending, 0);
  });

  test("is not waited for where the log's store never answers, and gives its turn back", async () => {
    const log = new GrownLog(TEXT);
    const { path, ask, clock } = start(log);
    const reading = Promise.withResolvers<void>();
    const read = log.read.bind(log);
    log.read = () => {
      reading.resolve();
      return new Promise(() => {});
    };
    const hanging = [ask(`/api/v1${path}/search?q=needle`), ask(`/api/v1${path}/first-error`)];
    await reading.promise;
    while (clock.pending < 4) await Promise.resolve();
    clock.skip(60_000);
    for (const answer of await Promise.all(hanging)) assert.equal(answer.status, 503);
    log.read = read;
    assert.equal((await json(await ask(`/api/v1${path}/search?q=needle`))).lines.length, 1);
  });
});
