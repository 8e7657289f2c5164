import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeMetrics } from "../../../src/metrics/metrics.ts";

const PAGE = join(import.meta.dirname, "../../../docs/metrics.md");

function renderTable(): string {
  const lines = makeMetrics({ version: "1" })
    .describe()
    .map(({ name, type, labels, help }) => `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`);
  return ["| name | type | labels | |", "|---|---|---|---|", ...lines].join("\n");
}

test("docs/metrics.md lists every metric with its type and labels, and no other (UPDATE=1 writes it)", () => {
  const page = readFileSync(PAGE, "utf8");
  const fresh = page.replace(
    /(<!-- metrics -->\n)[\s\S]*?(<!-- end -->)/,
    (_, begin: string, end: string) => `${begin}${renderTable()}\n${end}`,
  );
  if (process.env.UPDATE === "1") writeFileSync(PAGE, fresh);
  else assert.equal(page, fresh);
});

test("docs/metrics.md speaks of no metric that there is not", () => {
  const names = makeMetrics({ version: "1" })
    .describe()
    .map(({ name }) => name);
  const mentioned = new Set(readFileSync(PAGE, "utf8").match(/turbo_hipster_[a-z_]+/g));
  assert.deepEqual(
    [...mentioned].filter((name) => !names.includes(name)),
    [],
  );
});
