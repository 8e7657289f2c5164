import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { VERSION } from "../../../src/version.ts";
import { renderVersionedFiles } from "../../../tools/versioned-files.ts";

const ROOT = join(import.meta.dirname, "../../..");

test("a new version in package.json is the chart's, its image's and the one that pages name", () => {
  const files = renderVersionedFiles(ROOT, "12.34.56-rc.7");
  const { version, appVersion } = parse(files.get("charts/turbo-hipster/Chart.yaml") ?? "");
  assert.deepEqual([version, appVersion], ["12.34.56-rc.7", "12.34.56-rc.7"]);
  for (const [path, count] of [
    ["README.md", 2],
    ["docs/install.md", 7],
    ["charts/turbo-hipster/values.yaml", 1],
    ["deploy/Dockerfile", 1],
    ["deploy/gearmand/Dockerfile", 1],
  ] as const) {
    assert.equal(files.get(path)?.split("12.34.56-rc.7").length, count + 1, path);
    assert.doesNotMatch(files.get(path) ?? "", /(?:turbo-hipster(?:-gearmand)?:|VERSION=)(?!12\.34\.56-rc\.7)\d+\.\d/, path);
  }
});

test("no other page or example names the version", () => {
  const files = globSync("{README.md,docs/**/*.md,deploy/{**/Dockerfile,**/*.md,**/*.yaml},charts/**/*.{md,yaml}}", { cwd: ROOT });
  // A test sees to the manifests.
  const others = files.filter((file) => !renderVersionedFiles(ROOT, VERSION).has(file) && !file.startsWith("deploy/manifests/"));
  assert.ok(others.includes("deploy/examples/values.yaml"));
  assert.deepEqual(
    others.filter((file) =>
      new RegExp(`turbo-hipster(?:-gearmand)?:${VERSION.replaceAll(".", "\\.")}`).test(readFileSync(join(ROOT, file), "utf8")),
    ),
    [],
  );
});
