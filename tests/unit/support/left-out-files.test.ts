import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { NEED_HOST, NEED_OWN_CLUSTER, NEED_ROOT } from "../../support/left-out-files.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** By what a file reaches into its cluster's machine, makes a cluster, or leaves something behind in all of it. */
const OWN_CLUSTER = new RegExp(
  [
    String.raw`\b(upCluster|loadImage|clusterPaths|findTestKubelet|findNodeProgram|enterNode|startKwok|runDrill)\b`,
    String.raw`\b(playStorage|makeGatedTests|hostPath|nodeAddress|defineSnapshots)\b|\bcluster\.(name|helm|directory)\b`,
  ].join("|"),
);
const OF_ROOT = /\bmountDisk\(|"mount", \[|--reuid["]/;

function filesThat(pattern: RegExp, ...suites: string[]): Set<string> {
  const files = suites.flatMap((suite) => globSync(`tests/${suite}/**/*.test.ts`, { cwd: ROOT }));
  return new Set(files.filter((file) => pattern.test(readFileSync(join(ROOT, file), "utf8"))));
}

describe("of the test files those are left out,", () => {
  test("in a cluster that somebody else made, that reach into its node or leave something in all of it", () => {
    assert.deepEqual(filesThat(OWN_CLUSTER, "contract", "e2e"), new Set(Object.keys(NEED_OWN_CLUSTER)));
  });

  test("in a cluster that somebody else made, or make namespaces that go in the end", () => {
    const making = filesThat(/"create", "namespace"/, "contract", "e2e");
    assert.deepEqual(making.difference(new Set(Object.keys(NEED_OWN_CLUSTER))), new Set());
  });

  test("where pods don't reach this machine, of the others, that name its address to pods", () => {
    const naming = filesThat(/\bhostAddress\b/, "contract", "e2e");
    assert.deepEqual(naming.difference(new Set(Object.keys(NEED_OWN_CLUSTER))), new Set(NEED_HOST));
  });

  test("without root, that mount disks or become somebody else", () => {
    assert.deepEqual(filesThat(OF_ROOT, "unit", "integration", "browser"), new Set(Object.keys(NEED_ROOT)));
  });
});
