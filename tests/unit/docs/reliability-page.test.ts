import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

const ROOT = join(import.meta.dirname, "../../..");
const page = readFileSync(join(ROOT, "docs/reliability.md"), "utf8");

const INSERTION = /\$\{(?:[^{}]|\{[^{}]*\})*\}/;
const TITLE = new RegExp(
  String.raw`\b(?:test|it|describe)\(\s*(?:"((?:\\.|[^"\\])*)"|${"`"}((?:\\.|${INSERTION.source}|[^${"`"}\\])*)${"`"})`,
  "g",
);

/** Whether a test file has a test of that title; what a title leaves to be filled in must stand in the file as a text of its own, or be nothing. */
function hasTest(source: string, title: string): boolean {
  return [...source.matchAll(TITLE)].some(([, plain, template]) => {
    const parts = plain === undefined ? (template ?? "").split(INSERTION) : [plain];
    const escaped = parts.map((part) => part.replaceAll(/\\(.)/g, "$1").replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    const match = new RegExp(`^${escaped.join("(.*)")}$`).exec(title);
    return match?.slice(1).every((filled) => filled === "" || source.includes(JSON.stringify(filled))) ?? false;
  });
}

describe("docs/reliability.md", () => {
  const promises = page.split(/^## (?=\d)/m).slice(1);
  const cited = [...page.matchAll(/^- `(tests\/[^`]+)`: "(.+)"$/gm)].map(([, file = "", title = ""]) => ({ file, title }));

  test("tells of the seven promises how each is kept, what is impossible, and the tests that would fail", () => {
    assert.deepEqual(
      promises.map((promise) => promise[0]),
      ["1", "2", "3", "4", "5", "6", "7"],
    );
    for (const promise of promises) {
      const [heading] = promise.split("\n");
      assert.match(promise, /^\*\*Impossible\*\*: /m, heading);
      assert.match(promise, /^- `tests\//m, heading);
    }
  });

  test("names tests that there are", () => {
    assert.equal(cited.length, page.match(/^- `tests\//gm)?.length, 'every line about a test is `file`: "title"');
    for (const { file, title } of cited) {
      assert.ok(existsSync(join(ROOT, file)), file);
      assert.ok(hasTest(readFileSync(join(ROOT, file), "utf8"), title), `${file} has no test "${title}"`);
    }
  });
});
