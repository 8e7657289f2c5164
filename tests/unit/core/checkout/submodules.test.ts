import assert from "node:assert/strict";
import { test } from "node:test";
import type { GitUrl } from "../../../../src/core/checkout/git-url.ts";
import { readSubmodules, resolveSubmoduleUrl } from "../../../../src/core/checkout/submodules.ts";

const PROJECT: GitUrl = { scheme: "ssh", userInfo: "zuul", host: "h", port: 29418, path: "/a/org/project" };

const URLS: [text: string, url: { [field in keyof GitUrl]?: GitUrl[field] | undefined } | RegExp][] = [
  ["../lib", { path: "/a/org/lib" }],
  ["./lib", { path: "/a/org/project/lib" }],
  ["../../other/lib.git/", { path: "/a/other/lib.git" }],
  ["..", { path: "/a/org" }],
  ["https://h2/lib", { scheme: "https", userInfo: undefined, host: "h2", port: undefined, path: "/lib" }],
  ["git@h2:org/lib.git", { userInfo: "git", host: "h2", port: undefined, path: "/org/lib.git" }],
  ["git@h2:/org/lib", { userInfo: "git", host: "h2", port: undefined, path: "/org/lib" }],
  ["../../../../lib", /leads above the host's root/],
  ["../lib/../../x y", /has a path/],
  ["../lib\n--upload-pack=x", /has a path/],
  ["../%2e%2e/x", /has a path/],
  ["...", /is no URL/],
  ["/etc", /is no URL/],
  ["", /is no URL/],
  ["git@-oProxyCommand=x:y", /is no URL/],
  ["-u@h:x", /invalid user name/],
  ["file:///x", /scheme 'file'/],
];
for (const [text, expected] of URLS) {
  test(`a submodule's URL ${JSON.stringify(text)}`, () => {
    if (expected instanceof RegExp) assert.throws(() => resolveSubmoduleUrl(text, PROJECT), expected);
    else assert.deepEqual({ userInfo: undefined, port: undefined, ...resolveSubmoduleUrl(text, PROJECT) }, { ...PROJECT, ...expected });
  });
}

test("submodules are read by their paths, whatever their names are", () => {
  const found = readSubmodules([
    "submodule.a.b.path\nlib",
    "submodule.a.b.url\n../lib\nmore",
    "submodule.a.b.update\nnone",
    "submodule.__proto__.path\nx",
    "submodule.__proto__.url\nu",
    "submodule.second.path\nlib",
    "submodule.second.url\n../other",
    "submodule.nowhere.url\nu",
    "submodule.unknown.path\np",
    "core.path\nx",
    "submodule.path\nx",
    "submodule.flag.path",
  ]);
  assert.deepEqual(
    [...found],
    [
      ["lib", { name: "a.b", path: "lib", url: "../lib\nmore", isLeft: true }],
      ["x", { name: "__proto__", path: "x", url: "u", isLeft: false }],
    ],
  );
});

test("a list of submodules has an end", () => {
  const records = Array.from({ length: 201 }, (_, index) => [`submodule.${index}.path\n${index}`, `submodule.${index}.url\nu`]).flat();
  assert.equal(readSubmodules(records.slice(0, 400)).size, 200);
  assert.throws(() => readSubmodules(records), /more than 200 submodules - set checkout\.submodules to false$/);
});
