import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { makeMetrics } from "../../../src/metrics/metrics.ts";

const ROOT = join(import.meta.dirname, "../../..");
const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");

/** Names of the alerts that the chart installs. */
function alerts(): string[] {
  const rules: { groups: { rules: { alert: string }[] }[] } = parse(
    readFileSync(join(ROOT, "charts/turbo-hipster/files/alerts.yaml"), "utf8"),
  );
  return rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert));
}

describe("docs/operations.md", () => {
  test("has a section for each alert, in the order of the chart's, which says something", () => {
    const [, section = ""] = page.split(/^## Alerts$/m);
    const [told = ""] = section.split(/^## /m);
    const sections = told.split(/^### /m).slice(1);
    assert.deepEqual(
      sections.map((text) => text.slice(0, text.indexOf("\n"))),
      alerts(),
    );
    for (const text of sections) assert.ok(text.split(/\s+/).length > 20, text);
  });

  test("speaks of no metric that there is not", () => {
    const names = makeMetrics({ version: "1" })
      .describe()
      .map(({ name }) => name);
    for (const name of page.match(/turbo_hipster_[a-z_]+/g) ?? []) assert.ok(names.includes(name), name);
  });
});
