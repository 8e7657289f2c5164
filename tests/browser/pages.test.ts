import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { axeProblems, openPage, startChromium } from "../support/pages/chromium.ts";
import { GrownLog } from "../support/pages/grown-log.ts";
import { FAILED, FAILED_FILE } from "../support/pages/sample-file.ts";
import { makeSampleSources, pastBuilds, RUNNING, WAITING } from "../support/pages/sample-pages.ts";
import { servePages } from "../support/pages/serve-pages.ts";
import { startCutProxy } from "../support/proxies/cut-proxy.ts";

const HOSTILE = "<img src=x onerror=alert(1)> </code></div><p class=note>faked</p> \u202e \0";

function lines(count: number, from = 1): string {
  return Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join("");
}

describe("in a real browser", () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(() => browser.close());

  for (const [kind, options] of Object.entries({
    wide: {},
    dark: { colorScheme: "dark" },
    "320 px wide": { viewport: { width: 320, height: 640 } },
    "without a script": { javaScriptEnabled: false },
  } as const)) {
    test(`no page breaks its own policy, scrolls sideways or shuts anybody out: ${kind}`, async () => {
      const log = new GrownLog(
        `${lines(50)}\x1b[31mred\x1b[0m \x1b[30;47mon white\x1b[0m \x1b[2;7mdim\x1b[0m ${HOSTILE} ${"x".repeat(5000)}\nError: one\nError: two\n`,
      );
      log.hole("2026-11-28T09:50:00Z");
      log.end();
      const logs = new Map([[FAILED.number, log]]);
      const find = async (number: string) =>
        number === FAILED.number ? { file: FAILED_FILE, log: () => undefined, artifact: async () => undefined } : undefined;
      const stored = { find, recent: async () => [] };
      await using served = await servePages(makeSampleSources([RUNNING, WAITING, FAILED, ...pastBuilds(60)], logs, { stored }));
      const paths = [
        ...[`/builds/${FAILED.number}`, `/builds/${WAITING.number}`, "/builds", "/tasks", "/nothing"],
        ...[`/builds/${FAILED.number}/logs/test?line=1#L52`, `/builds/${FAILED.number}/logs/test?q=line`],
      ];
      for (const path of paths) {
        await using opened = await openPage(browser, served.url, options);
        await opened.page.goto(served.url + path);
        const excess = await opened.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert.equal(excess, 0, `${path} scrolls sideways`);
        if (!("javaScriptEnabled" in options)) assert.deepEqual(await axeProblems(opened.page), [], path);
        const faults = opened.faults.filter((fault) => !(path === "/nothing" && fault.includes("404")));
        assert.deepEqual(faults, [], path);
      }
    });
  }

  test("what a test prints is text, and can fake no word of ours", async () => {
    const log = new GrownLog(`${HOSTILE}\n`);
    log.end();
    await using served = await servePages(makeSampleSources([FAILED], new Map([[FAILED.number, log]])));
    await using opened = await openPage(browser, served.url);
    await opened.page.goto(`${served.url}/builds/${FAILED.number}`);
    assert.equal(await opened.page.locator("#L1 code").textContent(), HOSTILE.replace("\u202e", "U+202E").replace("\0", "␀"));
    assert.deepEqual([await opened.page.locator(".lines .note").count(), await opened.page.locator("img").count()], [0, 0]);
    assert.deepEqual(opened.faults, []);
  });

  test("a live log goes on after its connection was cut, without loss or repeat", async () => {
    const log = new GrownLog(lines(20));
    await using served = await servePages(makeSampleSources([RUNNING], new Map([[RUNNING.number, log]])));
    await using proxy = await startCutProxy(served.port);
    await using opened = await openPage(browser, proxy.url);
    await opened.page.goto(`${proxy.url}/builds/${RUNNING.number}`);
    log.print("line 21\nhal");
    await opened.page.locator("#L22").waitFor();
    assert.equal(await opened.page.locator("#L22 code").textContent(), "hal");
    proxy.cut();
    log.print(`f\n${lines(30, 23)}`);
    await opened.page.locator("#L52").waitFor();
    log.print(lines(10, 53));
    log.end();
    await opened.page.getByText("The log has ended.").waitFor();
    const shown = await opened.page.locator(".line code").allInnerTexts();
    assert.deepEqual(shown, [...lines(21).trim().split("\n"), "half", ...lines(40, 23).trim().split("\n")]);
    assert.deepEqual(opened.faults, []);
  });

  test("a log of 100 MB opens at once; its first error, any line and a search are a moment away", async () => {
    const filler = lines(1_000_000).replaceAll("line", "some words of a line of a long log with a number");
    const log = new GrownLog(`${filler}E   AssertionError: here\n${filler}needle in it\n`);
    log.end();
    assert.ok(log.snapshot().bytes > 100e6);
    await using served = await servePages(makeSampleSources([FAILED], new Map([[FAILED.number, log]])));
    await using opened = await openPage(browser, served.url);
    const { page } = opened;
    log.reads = 0;
    await page.goto(`${served.url}/builds/${FAILED.number}`);
    await page.locator("#L2000002").waitFor();
    assert.ok(log.reads <= 4, `${log.reads} reads of 256 KiB`);
    assert.ok((await page.locator(".line").count()) <= 200);
    await page.getByRole("link", { name: "First error", exact: true }).click();
    await page.locator("#L1000001.is-marked").waitFor();
    await page.getByLabel("Search the log").fill("NEEDLE");
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "Line 2000002" }).click();
    await page.locator("#L2000002.is-marked").waitFor();
    await page.getByLabel("Line", { exact: true }).fill("120-140");
    await page.keyboard.press("Enter");
    await page.locator("#L140.is-marked").waitFor();
    assert.equal(new URL(page.url()).hash, "#L120-L140");
    assert.equal(await page.locator(".line.is-marked").count(), 21);
    assert.deepEqual(opened.faults, []);
  });

  test("the page of a build that waits shows its log once there is one, and says when it has ended", async () => {
    const builds = [WAITING];
    const log = new GrownLog("first\n");
    const logs = new Map<string, GrownLog>();
    await using served = await servePages(makeSampleSources(builds, logs));
    await using opened = await openPage(browser, served.url);
    const { page } = opened;
    await page.goto(`${served.url}/builds/${WAITING.number}`);
    await page.getByText("There is none yet.").waitFor();
    builds[0] = { ...RUNNING, number: WAITING.number };
    logs.set(WAITING.number, log);
    await page.locator("#L1").waitFor();
    log.end();
    builds[0] = { ...FAILED, number: WAITING.number };
    await page.getByRole("link", { name: "Show what it means" }).click();
    await page.getByRole("heading", { name: "Failed 2 of 314 tests failed" }).waitFor();
    assert.deepEqual(opened.faults, []);
  });

  test("a link to lines shows them marked, and the lines beside them one press away", async () => {
    const log = new GrownLog(lines(5000));
    log.end();
    await using served = await servePages(makeSampleSources([FAILED], new Map([[FAILED.number, log]])));
    await using opened = await openPage(browser, served.url);
    const { page } = opened;
    await page.goto(`${served.url}/builds/${FAILED.number}#L1200-L1203`);
    await page.locator("#L1203.is-marked").waitFor();
    assert.equal(await page.locator(".line.is-marked").count(), 4);
    await page.getByRole("button", { name: "Earlier lines" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#L700").waitFor({ state: "attached" });
    await page.locator("#L1205 a").click();
    await page.locator("#L1207 a").click({ modifiers: ["Shift"] });
    assert.equal(new URL(page.url()).hash, "#L1205-L1207");
    assert.deepEqual(opened.faults, []);
  });

  test("a link to what is folded up opens it, without a script", async () => {
    await using served = await servePages(makeSampleSources([FAILED]));
    await using opened = await openPage(browser, served.url, { javaScriptEnabled: false });
    const { page } = opened;
    await page.goto(`${served.url}/builds/${FAILED.number}`);
    assert.equal(await page.getByText("docker run --rm").isVisible(), false);
    await page.getByRole("link", { name: "Run it again" }).click();
    await page.getByText("docker run --rm").waitFor();
  });

  test("all can be done by keys, and the first of them leads past the navigation", async () => {
    await using served = await servePages(makeSampleSources([FAILED]));
    await using opened = await openPage(browser, served.url);
    const { page } = opened;
    await page.goto(`${served.url}/builds`);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
    await page.getByLabel("Task").focus();
    await page.keyboard.type("nova-unit");
    await page.keyboard.press("Enter");
    await page.waitForURL(/task=nova-unit/);
    assert.deepEqual(opened.faults, []);
  });
});
