import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Debian's Chromium, which is installed where it is missing. */
export async function startChromium(): Promise<Browser> {
  await ensureDebianPackages(["chromium"], console.error);
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export interface WatchedPage extends AsyncDisposable {
  page: Page;
  /** What the page did wrong: a refusal by its own policy, an error of a script, a request to elsewhere. */
  faults: string[];
}

/** A page of its own; whatever it does wrong is noted. */
export async function openPage(browser: Browser, origin: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !/net::ERR_|status of 50\d/.test(message.text())) faults.push(message.text());
  });
  page.on("pageerror", (error) => void faults.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(origin)) faults.push(`asks ${request.url()}`);
  });
  return { page, faults, [Symbol.asyncDispose]: () => context.close() };
}

/** What axe finds against WCAG 2.2 AA. https://github.com/dequelabs/axe-core */
export async function axeProblems(page: Page): Promise<string[]> {
  // By the debugger, which the page's policy does not bind.
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: object): Promise<{ violations: Violation[] }> } };
    interface Violation {
      id: string;
      nodes: { html: string; failureSummary: string }[];
    }
    const { violations } = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return violations.flatMap(({ id, nodes }) => nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`));
  });
  return found;
}
