import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Command } from "commander";

const ROOT = join(import.meta.dirname, "../../..");

/** Each command's name -> its exit codes, as its help tells them; a bug's, 70, is told once for all. */
async function codesOfHelp(): Promise<Record<string, number[]>> {
  const codes: Record<string, number[]> = {};
  for (const file of globSync("src/commands/*.ts", { cwd: ROOT })) {
    const exported: Record<string, unknown> = await import(join(ROOT, file));
    for (const [name, make] of Object.entries(exported)) {
      if (!/^[a-z]+Command$/.test(name)) continue;
      const command = (make as (others: () => Promise<Command[]>) => Command)(async () => []);
      let help = "";
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      assert.ok(
        help.split("\n").every((line) => line.length <= (process.stdout.columns ?? 80)),
        `${command.name()} --help is one width`,
      );
      const told = help.split("Exit codes: ")[1]?.split("\n\n")[0] ?? "";
      codes[command.name()] = [...told.replaceAll(/\s+/g, " ").matchAll(/(?:^|, )(\d+) /g)].map(([, code]) => Number(code)).sort(byValue);
    }
  }
  return codes;
}

/** The same, as the page's table tells them. */
function codesOfPage(): Record<string, number[]> {
  const rows = readFileSync(join(ROOT, "docs/commands.md"), "utf8").matchAll(/^\| `(\w+)` \|(.*)\|$/gm);
  return Object.fromEntries(
    Array.from(rows, ([, command = "", cells = ""]) => {
      const [zero, one, two, others = ""] = cells.split("|").map((cell) => cell.trim());
      const columns = [zero, one, two].flatMap((cell, code) => (cell ? [code] : []));
      return [command, [...columns, ...[...others.matchAll(/\b\d+\b/g)].map(([code]) => Number(code))].sort(byValue)];
    }),
  );
}

const byValue = (a: number, b: number) => a - b;

describe("docs/commands.md", () => {
  test("has the exit codes of all commands, as each one's help tells them", async () => {
    const told = await codesOfHelp();
    assert.ok(Object.keys(told).length >= 13, Object.keys(told).join());
    assert.deepEqual(codesOfPage(), told);
  });
});
