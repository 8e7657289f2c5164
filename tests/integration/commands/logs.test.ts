import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { performExplain } from "../../../src/commands/explain.ts";
import { type LogsWorld, performLogs } from "../../../src/commands/logs.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { findFreePort } from "../../support/free-port.ts";
import { GrownLog } from "../../support/pages/grown-log.ts";
import { makeSampleSources, RUNNING, sampleBuild, WAITING } from "../../support/pages/sample-pages.ts";
import { servePages } from "../../support/pages/serve-pages.ts";
import { startCutProxy } from "../../support/proxies/cut-proxy.ts";

const FAILED = sampleBuild();
const numbered = (count: number, from = 1) => Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join("");

async function serve(log: GrownLog) {
  const logs = new Map([
    [FAILED.number, log],
    [RUNNING.number, log],
  ]);
  return servePages(makeSampleSources([RUNNING, WAITING, FAILED], logs));
}

/** What the command has written, and what it waits for. */
function makeWorld(isTerminal: boolean) {
  const out: Buffer[] = [];
  const errors: string[] = [];
  const interrupt = new AbortController();
  let onWrite = () => {};
  const text = () => Buffer.concat(out).toString();
  let tail = "";
  const world: LogsWorld = {
    ...{ clock: systemClock, signal: interrupt.signal, isTerminal: { out: isTerminal, error: isTerminal } },
    async write(chunk) {
      out.push(Buffer.from(chunk));
      tail = `${tail}${chunk}`.slice(-1000);
      onWrite();
    },
    printError: (line) => void errors.push(line),
  };
  const seen = async (wanted: string) => {
    while (!tail.includes(wanted)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      onWrite = resolve;
      await promise;
    }
  };
  return { world, text, errors, interrupt, seen };
}

describe("turbo-hipster logs", () => {
  test("writes what was printed, byte for byte, where no person looks at it", async () => {
    const printed = Buffer.from([0x61, 0xff, 0x00, 0x1b, 0x5b, 0x32, 0x4a, 0x0d, 0x0a, 0x62]);
    const log = new GrownLog(printed);
    log.end();
    await using served = await serve(log);
    const parts: Buffer[] = [];
    const { world } = makeWorld(false);
    const write = async (chunk: string | Uint8Array) => void parts.push(Buffer.from(chunk));
    assert.equal(await performLogs(FAILED.number, { url: served.url }, { ...world, write }), 0);
    assert.deepEqual(Buffer.concat(parts), printed);
  });

  test("shows a person its colours, obeys nothing in it, and tells our own words apart", async () => {
    const log = new GrownLog("\x1b[31mred\x1b[0m\x1b[2Jgone\x1b]0;title\x07 \x1b[7m faked \x1b[0m\n\u009b5m\u202e\n");
    log.hole("2026-11-28T09:50:00Z");
    log.print("no end");
    log.end();
    await using served = await serve(log);
    const { world, text, errors } = makeWorld(true);
    assert.equal(await performLogs(`${served.url}/builds/${FAILED.number}`, { url: "http://none" }, world), 0);
    assert.equal(text(), "\x1b[31mred\x1b[0mgone  faked \n\x1b[2mU+202E\x1b[0m\nno end\n");
    assert.equal(errors.length, 1);
    assert.ok(errors[0]?.startsWith("\x1b[7m Something is missing here: ") && errors[0].endsWith(" \x1b[0m"));
  });

  test("shows of one that grows what is there", async () => {
    await using served = await serve(new GrownLog("a\nhal"));
    const { world, text } = makeWorld(true);
    assert.equal(await performLogs(RUNNING.number, { url: served.url }, world), 0);
    assert.equal(text(), "a\nhal\n");
  });

  test("reads long ones to their end, past what is not kept", async () => {
    const log = new GrownLog(numbered(100_000));
    log.cut(5000, 600_000);
    log.end();
    await using served = await serve(log);
    const { world, text, errors } = makeWorld(true);
    assert.equal(await performLogs(FAILED.number, { url: served.url }, world), 0);
    const lines = text().trim().split("\n");
    assert.deepEqual([lines[0], lines.at(-1)], ["line 1", "line 100000"]);
    const shown = lines.filter((line) => /^line \d+$/.test(line)).map((line) => Number(line.slice(5)));
    assert.ok(shown.every((number, index) => index === 0 || number > (shown[index - 1] ?? 0)));
    assert.equal(errors.length, 1);
  });

  test("follows one to its end, each line once, whatever breaks", { timeout: 60_000 }, async () => {
    const log = new GrownLog(numbered(3));
    await using served = await serve(log);
    await using proxy = await startCutProxy(served.port);
    const { world, text, seen } = makeWorld(false);
    const done = performLogs(RUNNING.number, { url: proxy.url, follow: true }, world);
    await log.awaited();
    log.print("line 4\nhal");
    await seen("line 4\n");
    await log.awaited();
    proxy.cut();
    log.print(`f\n${numbered(2, 6)}`);
    await seen("line 7\n");
    await log.awaited();
    // More than a stream shows to who is behind.
    log.print(numbered(200_000, 8));
    await seen("line 200007\n");
    log.print("the end");
    log.end();
    assert.equal(await done, 0);
    assert.equal(text(), `${numbered(4)}half\n${numbered(200_002, 6)}the end\n`);
  });

  test("says what is wrong, and what to do", async () => {
    await using served = await serve(new GrownLog("a\n"));
    for (const [build, url, words] of [
      ["nova-unit-ffffffffffffffff", served.url, /No build nova-unit-ffffffffffffffff is under way/],
      [WAITING.number, served.url, /there is no log of this build\. 0\/3 nodes are available/],
      [
        FAILED.number,
        `http://127.0.0.1:${await findFreePort()}`,
        /nothing answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)\. Name .* --url/,
      ],
      ["UPPER", served.url, /"UPPER" is no build's number/],
      ["https://example.org/x", served.url, /no address of a build's page/],
      [FAILED.number, "ftp://x", /write an http or https URL/],
      [FAILED.number, `${served.url}/elsewhere`, /answers 404: is it the operator's public port\?|no such page/],
    ] as const) {
      const { world, errors } = makeWorld(false);
      assert.equal(await performLogs(build, { url }, world), 2, build);
      assert.match(errors.join("\n"), words);
    }
    const { world, errors } = makeWorld(false);
    assert.equal(await performLogs(FAILED.number, { url: served.url, container: "db" }, world), 2);
    assert.match(errors.join(), /there is no log of db; there are those of test\./);
  });
});

describe("turbo-hipster explain", () => {
  async function explain(build: string, url: string) {
    const lines: string[] = [];
    const [print, printError] = [(line: string) => void lines.push(line), (line: string) => void lines.push(line)];
    const world = { now: () => new Date("2026-11-28T10:00:00Z"), signal: new AbortController().signal, print, printError };
    return { code: await performExplain(build, { url }, world), lines, text: lines.join("\n") };
  }

  test("tells what the page tells", async () => {
    await using served = await serve(new GrownLog());
    const { code, lines, text } = await explain(FAILED.number, served.url);
    assert.equal(code, 0);
    assert.deepEqual(lines.slice(0, 5), [
      "Failed: 2 of 314 tests failed",
      "nova-unit for openstack/nova, master, change 4711,3, in gate",
      "",
      "Zuul was told: FAILURE - 2 of 314 tests failed",
      "That means: The change, or its test, is at fault. Zuul reports the text; the change has failed.",
    ]);
    for (const words of [
      "Rule exit-code: The test ended with another exit code",
      "2026-11-28 09:41:10 UTC  ran its test 11 min 30 s",
      "needs DB_PASSWORD: Secret db, key password",
      "docker run --rm \\\n  --env=ZUUL_PROJECT=openstack/nova \\\n  python:3.12",
      `Page: ${served.url}/builds/${FAILED.number}`,
    ]) {
      assert.ok(text.includes(words), words);
    }
    const waiting = await explain(WAITING.number, served.url);
    assert.equal(waiting.lines[0], "Waiting: 0/3 nodes are available: 3 Insufficient memory.");
    assert.ok(waiting.text.includes("waited for a node 19 min 59 s so far"));
    assert.equal((await explain("nova-unit-ffffffffffffffff", served.url)).code, 2);
  });

  test("lets a terminal obey nothing that others have written", async () => {
    const text = "\x1b[2J\u202e\u2028x\r";
    const verdict = { result: "FAILURE", class: "failure", rule: text, message: text } as const;
    const build = sampleBuild({ task: text, node: text, item: { project: text, branch: text }, verdict });
    await using served = await servePages(makeSampleSources([build]));
    const { code, text: told } = await explain(build.number, served.url);
    assert.equal(code, 0);
    assert.doesNotMatch(told, /[^\P{C}\n]/u);
  });
});
