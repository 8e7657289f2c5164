import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { storedFileHeaders, storedFileType } from "../../../../src/core/logs/stored-file.ts";

const DIRECTORY = "56/123456/7/gate/unit/0123456";

describe("a stored file", () => {
  const own: [string, string][] = [
    ["console.log", "text/plain; charset=utf-8"],
    ["build.json", "application/json"],
    ["mysql.log", "text/plain; charset=utf-8"],
  ];
  for (const [name, contentType] of own) {
    test(`of ours is shown as what it is: ${name}`, () => {
      assert.deepEqual(storedFileType(`${DIRECTORY}/${name}`), { contentType, disposition: "inline" });
      assert.equal(storedFileHeaders(`${DIRECTORY}/${name}`)["x-content-type-options"], "nosniff");
    });
  }

  test("of ours that is replaced when the build is stored is not kept unasked by what serves it", () => {
    const page = { contentType: "text/html; charset=utf-8", disposition: "inline", cacheControl: "no-cache" };
    assert.deepEqual(storedFileType(`${DIRECTORY}/index.html`), page);
  });

  const text = ["log.txt", "results/junit.xml", "a.js.txt", "tool.sh", "a.sql", "NOTES.MD", "a.b.diff"];
  const saved = [
    ...[
      "index.html",
      "x.HTM",
      "x.xhtml",
      "x.svg",
      "x.svgz",
      "x.mht",
      "x.js",
      "x.mjs",
      "x.css",
      "x.pdf",
      "x.swf",
      "x.wasm",
      "x.webmanifest",
    ],
    ...[
      "core",
      "x.",
      "x.tar.gz",
      "x.constructor",
      "x.__proto__",
      "index.html/",
      "x.html\n",
      "dir.html/file",
      "x.txt.html",
      "x.shtml",
      "x.xsl",
    ],
  ];
  for (const name of text) {
    test(`of a test's is text where it is meant to be read: ${name}`, () => {
      assert.deepEqual(storedFileType(`${DIRECTORY}/artifacts/${name}`), {
        contentType: "text/plain; charset=utf-8",
        disposition: "inline",
      });
    });
  }
  for (const name of saved) {
    test(`of a test's is saved and never shown: ${JSON.stringify(name)}`, () => {
      assert.deepEqual(storedFileType(`${DIRECTORY}/artifacts/${name}`), {
        contentType: "application/octet-stream",
        disposition: "attachment",
      });
    });
  }

  test("of a test's is a picture where it is one that holds no script", () => {
    assert.deepEqual(storedFileType(`${DIRECTORY}/artifacts/shot.PNG`), { contentType: "image/png", disposition: "inline" });
  });

  test("of a test's has no script, form or origin of ours on our pages", () => {
    const { "content-security-policy": policy = "", "x-content-type-options": sniffing } = storedFileHeaders(
      `${DIRECTORY}/artifacts/a.txt`,
    );
    assert.match(policy, /^sandbox;/);
    assert.doesNotMatch(policy, /allow-/);
    assert.match(policy, /default-src 'none'/);
    assert.equal(sniffing, "nosniff");
  });
});
