import assert from "node:assert/strict";
import { globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";

const ROOT = join(import.meta.dirname, "../../..");
const FRONT_PAGES = ["README.md", "CONTRIBUTING.md"];
const PAGES = [...FRONT_PAGES, ...globSync("docs/**/*.md", { cwd: ROOT }).sort()];
const DECISIONS = PAGES.filter((page) => page.startsWith("docs/decisions/"));
const SECTIONS = ["Context", "Decision", "Consequences", "Measurement"];
const MAX_LINE = 140;

/** A path of this repository: below one of its folders, or of a source file. All are told from the root. */
const PATH = /^(?:src|tests|docs|deploy|tools|charts|crds|bin)\/|^[\w-]+\/[\w./-]*\.(?:ts|mjs)$/;
/** A path that is to be filled in, or stands for several. */
const PATTERN = /[*<>${}]|\bNAME\b|\bFILE\b/;

const read = (page: string) => readFileSync(join(ROOT, page), "utf8");

function isThere(path: string): boolean {
  return statSync(join(ROOT, path), { throwIfNoEntry: false }) !== undefined;
}

/** Targets of links that lead to files, from the root of the repository. */
function links(page: string): string[] {
  const targets = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets.filter((target) => !/^(?:[a-z]+:|#)/.test(target)).map((target) => join(dirname(page), target.replace(/#.*$/, "")));
}

/** Links to a heading, of the same page or another: that page from the root, and what the link calls the heading. */
function headingLinks(page: string): { target: string; heading: string }[] {
  const found = read(page).matchAll(/\]\((?![a-z]+:)([^)\s#]*)#([^)\s]+)\)/g);
  return Array.from(found, ([, path = "", heading = ""]) => ({ target: path === "" ? page : join(dirname(page), path), heading }));
}

/** What links call the headings of a page: in lower case, a dash for each blank, without punctuation. */
function headings(page: string): string[] {
  const titles = read(page).matchAll(/^#{1,6} (.*)$/gm);
  return Array.from(titles, ([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Paths that a page names, in text or in commands. */
function paths(page: string): string[] {
  const words = read(page).match(/[^\s`()[\]|"',;]+/g) ?? [];
  return words.map((word) => word.replace(/[.:?!]+$/, "")).filter((word) => PATH.test(word) && !PATTERN.test(word));
}

/** Files that a page names without their folder, as a reader may who is in that folder. */
function bareFiles(page: string): string[] {
  return [...read(page).matchAll(/`([\w.-]+\.(?:ts|mjs))`/g)].map(([, name = ""]) => name);
}

describe("the pages for people", () => {
  test(`README and CONTRIBUTING have no line of more than ${MAX_LINE} characters`, () => {
    for (const page of FRONT_PAGES) {
      const long = read(page)
        .split("\n")
        .flatMap((line, index) => (line.length > MAX_LINE ? [`${page}:${index + 1} has ${line.length}`] : []));
      assert.deepEqual(long, []);
    }
  });

  for (const page of PAGES) {
    test(`${page} links to, and names, files that there are`, () => {
      const wanted = [...links(page), ...paths(page)];
      assert.deepEqual(
        wanted.filter((path) => !isThere(path)),
        [],
      );
      assert.deepEqual(
        headingLinks(page).filter(({ target, heading }) => target.endsWith(".md") && !headings(target).includes(heading)),
        [],
        "links to headings that there are",
      );
      const sources = globSync("{src,tests,deploy,tools}/**/*.{ts,mjs}", { cwd: ROOT });
      assert.deepEqual(
        bareFiles(page).filter((name) => !sources.some((source) => source.endsWith(`/${name}`))),
        [],
      );
    });
  }

  test("the index leads to every page", () => {
    const pages = PAGES.filter((page) => page.startsWith("docs/") && page !== "docs/README.md" && !DECISIONS.includes(page));
    assert.deepEqual(
      pages.filter((page) => !links("docs/README.md").includes(page)),
      [],
    );
  });

  test("all that README links to is in the published package", () => {
    const published: string[] = JSON.parse(read("package.json")).files;
    const isPublished = (path: string) => published.some((entry) => normalize(`${path}/`).startsWith(`${entry}/`));
    for (const page of PAGES.filter((page) => isPublished(page))) {
      assert.deepEqual(
        links(page).filter((path) => !isPublished(path)),
        [],
        page,
      );
    }
  });

  test("decisions are numbered without gaps, and have their number in the title and the same sections in the same order", () => {
    for (const [index, page] of DECISIONS.entries()) {
      assert.match(page, new RegExp(`/${String(index + 1).padStart(4, "0")}-[a-z0-9-]+\\.md$`));
      const text = read(page);
      assert.match(text, new RegExp(`^# ${index + 1}\\. `));
      const sections = [...text.matchAll(/^## (.*)$/gm)].map(([, title = ""]) => title);
      assert.deepEqual(
        sections,
        SECTIONS.filter((title) => sections.includes(title)),
        page,
      );
    }
  });
});
