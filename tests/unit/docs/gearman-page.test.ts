import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../../..");
const PAGE = join(ROOT, "docs/gearman.md");
const RECORDS = join(ROOT, "tests/golden/gearman-protocol");

interface Row {
  event: string;
  seen: { gearmand?: string; geard?: string };
}

function renderTable(rows: readonly Row[]): string {
  const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ");
  const lines = rows.map(({ event, seen: { gearmand = "", geard = "" } }) => {
    const other = geard === gearmand && geard !== "" ? "the same" : cell(geard);
    return `| ${cell(event)} | ${cell(gearmand)} | ${other} |`;
  });
  return ["| | gearmand 1.1.20 | geard (gear 0.16.0) |", "|---|---|---|", ...lines].join("\n");
}

/** The page with each `<!-- table NAME -->...<!-- end -->` made of the records of that name. */
function renderPage(page: string, used: Set<string>): string {
  return page.replaceAll(/(<!-- table ([a-z-]+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin: string, name: string, end: string) => {
    used.add(name);
    return `${begin}${renderTable(JSON.parse(readFileSync(join(RECORDS, `${name}.json`), "utf8")))}\n${end}`;
  });
}

test("docs/gearman.md tells what the protocol suite has recorded, all of it (UPDATE=1 writes it)", () => {
  const page = readFileSync(PAGE, "utf8");
  const used = new Set<string>();
  const fresh = renderPage(page, used);
  if (process.env.UPDATE === "1") writeFileSync(PAGE, fresh);
  else assert.equal(page, fresh);
  assert.deepEqual(
    [...used].toSorted((left, right) => (left < right ? -1 : 1)),
    readdirSync(RECORDS)
      .map((file) => file.replace(".json", ""))
      .toSorted((left, right) => (left < right ? -1 : 1)),
  );
});

test("docs/gearman.md shows the configurations of the TLS tunnel that the tests run", () => {
  const page = readFileSync(PAGE, "utf8");
  for (const name of ["stunnel-server.conf", "stunnel-worker.conf"]) {
    const text = readFileSync(join(ROOT, "deploy/examples/tls", name), "utf8");
    assert.ok(page.includes(`\`\`\`ini\n${text}\`\`\``), `${name} is in the page as it is`);
  }
});
