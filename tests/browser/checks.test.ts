import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { axeProblems, openPage, startChromium } from "../support/pages/chromium.ts";
import { sampleChecks } from "../support/pages/sample-checks.ts";
import { makeSampleSources, sampleBuild } from "../support/pages/sample-pages.ts";
import { servePages } from "../support/pages/serve-pages.ts";

const HOSTILE = "<img src=x onerror=alert(1)></summary></details><script>document.title='taken over'</script>";
const TURNED = "\u202enrut \x1b[31mred\0";
const CHECKS = [
  { name: "no-traceback", pattern: { regex: "^Traceback" } },
  { name: "migrations", steps: { start: "^Running upgrade (.+)$", limit: "30s" } },
  { name: "rows", message: `${HOSTILE} {found}`, counters: { regex: "^rows=(\\d+)", measure: "value", limit: 10 } },
];
/** So many that the page shows the end of them, and that where the links lead to is not on the screen. */
const LINES: [second: number, line: string][] = [
  ...Array.from({ length: 3000 }, (_, index): [number, string] => [index / 1000, `line ${index + 1}`]),
  [3, `Running upgrade ${HOSTILE}`],
  [64, "Running upgrade b -> c"],
  [65, "rows=5"],
  [66, "rows=11"],
  [67, `Traceback ${TURNED}`],
  ...Array.from({ length: 3000 }, (_, index): [number, string] => [68, `line ${index + 3006}`]),
];

describe("the checks on a build's page", () => {
  let browser: Browser;
  before(async () => {
    browser = await startChromium();
  });
  after(() => browser.close());

  const { log, results } = sampleChecks(CHECKS, LINES);
  const verdict = { result: "FAILURE", class: "failure", rule: "check-failed", message: `check ${HOSTILE}`, checks: results } as const;
  const build = sampleBuild({ verdict });
  const serve = () => servePages(makeSampleSources([build], new Map([[build.number, log]])));

  for (const [kind, options] of Object.entries({
    wide: {},
    dark: { colorScheme: "dark" },
    "320 px wide": { viewport: { width: 320, height: 640 } },
  } as const)) {
    test(`are there for everybody, and nothing that a step is called leaves its place: ${kind}`, async () => {
      await using served = await serve();
      await using opened = await openPage(browser, served.url, options);
      const { page, faults } = opened;
      await page.goto(`${served.url}/builds/${build.number}`);
      assert.equal(await page.getByRole("heading", { name: "Checks: 3 of 3 did not pass" }).count(), 1);
      const checks = page.locator("ul.checks");
      assert.deepEqual(await checks.locator("details").evaluateAll((all) => all.map((each) => each.hasAttribute("open"))), [
        true,
        true,
        true,
      ]);
      assert.ok((await checks.textContent())?.includes(`step ${HOSTILE} took`), (await checks.textContent()) ?? "");
      assert.ok((await checks.textContent())?.includes("Traceback U+202Enrut red␀"), "and nothing turns what stands behind it");
      assert.equal(await page.locator("main img, main script").count(), 0);
      assert.notEqual(await page.title(), "taken over");
      assert.equal(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"), 0);
      assert.deepEqual(await axeProblems(page), []);
      assert.deepEqual(faults, []);
    });
  }

  for (const javaScriptEnabled of [true, false]) {
    test(`lead to the lines that they found, ${javaScriptEnabled ? "with" : "without"} a script`, async () => {
      await using served = await serve();
      await using opened = await openPage(browser, served.url, { javaScriptEnabled });
      const { page, faults } = opened;
      for (const [line, text] of [
        [3001, `Running upgrade ${HOSTILE}`],
        [3004, "rows=11"],
      ] as const) {
        await page.goto(`${served.url}/builds/${build.number}`);
        await page
          .locator("ul.checks")
          .getByRole("link", { name: `line ${line}`, exact: true })
          .click();
        await page.waitForURL(`**/logs/test?line=${line}#L${line}`);
        const found = page.locator(`#L${line}`);
        assert.equal(await found.locator("code").textContent(), text);
        await page.waitForFunction(`document.querySelector("#L${line}").getBoundingClientRect().top < innerHeight`);
        const box = await found.boundingBox();
        assert.ok(box !== null && box.y >= 0 && box.y < 800, `it is on the screen: ${JSON.stringify(box)}`);
      }
      assert.deepEqual(faults, []);
    });
  }
});
