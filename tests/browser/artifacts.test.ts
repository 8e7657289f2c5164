import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { FilesStore } from "../../src/logs/stores/files/files-store.ts";
import { StoredBuildSource } from "../../src/logs/stores/stored-build-source.ts";
import { StoredBuilds } from "../../src/logs/stores/stored-builds.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { openPage, startChromium } from "../support/pages/chromium.ts";
import { FAILED } from "../support/pages/sample-file.ts";
import { makeSampleSources } from "../support/pages/sample-pages.ts";
import { servePages } from "../support/pages/serve-pages.ts";
import { storeBuild } from "../support/pages/store-build.ts";
import { silentLogger } from "../support/silent-logger.ts";

const SCRIPT = "<script>document.title = 'taken over'; fetch('/api/v1/builds')</script>";
const HTML = `<!doctype html><html><body onload="alert(1)">${SCRIPT}<img src=x onerror="alert(2)"></body></html>`;
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(3)">${SCRIPT}</svg>`;

/** By name; whether a browser shows it, or saves it. */
const FILES: Record<string, { content: string; isShown: boolean }> = {
  "page.html": { content: HTML, isShown: false },
  "page.xhtml": { content: SVG, isShown: false },
  "picture.svg": { content: SVG, isShown: false },
  "no-extension": { content: HTML, isShown: false },
  "code.js": { content: "alert(4)", isShown: false },
  "report.xml": { content: `<?xml-stylesheet href="x.xsl"?>${SVG}`, isShown: true },
  "log.txt": { content: HTML, isShown: true },
  "picture.png": { content: HTML, isShown: true },
  "data.json": { content: HTML, isShown: true },
};

describe("what a test has uploaded", () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(() => browser.close());

  test("runs nowhere, whatever its name is", async () => {
    const directory = await mkdtemp(join(tmpdir(), "th-artifacts-"));
    const store = new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger });
    const artifacts = Object.fromEntries(Object.entries(FILES).map(([name, { content }]) => [name, content]));
    await storeBuild(store, { report: FAILED, text: "a\n", artifacts });
    const stored = new StoredBuildSource({ store, builds: new StoredBuilds(store), clock: systemClock, logger: silentLogger });
    const served = await servePages(makeSampleSources([], new Map(), { stored }));
    try {
      for (const [name, { isShown }] of Object.entries(FILES)) {
        await using opened = await openPage(browser, served.url);
        const { page, faults } = opened;
        const asked: string[] = [];
        page.on("dialog", (dialog) => {
          faults.push(`a dialog: ${dialog.message()}`);
          void dialog.dismiss();
        });
        page.on("request", (request) => void asked.push(new URL(request.url()).pathname));
        const path = `/builds/${FAILED.number}/artifacts/${name}`;
        const isSaved = page.waitForEvent("download", { timeout: 20_000 }).then(
          () => true,
          () => false,
        );
        const answer = await page.goto(served.url + path).catch(() => undefined);
        if (!isShown) assert.ok(await isSaved, name);
        else assert.equal(answer?.status(), 200, name);
        assert.notEqual(await page.title(), "taken over", name);
        assert.ok(
          asked.every((each) => each === path || each === "/favicon.ico"),
          `${name} asks for ${asked}`,
        );
        assert.deepEqual(
          faults.filter((fault) => !/favicon|404/.test(fault)),
          [],
          name,
        );
      }
    } finally {
      await served[Symbol.asyncDispose]();
      await stored.stop();
      store.close();
      await rm(directory, { recursive: true });
    }
  });
});
