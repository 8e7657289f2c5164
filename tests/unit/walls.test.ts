import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";

const ROOT = join(import.meta.dirname, "../..");
const BIOME = join(ROOT, "node_modules/.bin/biome");

/** Each room of src/, the other rooms that it may import, and packages: some that it may and some that it may not. */
const ROOMS: Record<string, { rooms: readonly string[]; allowed: readonly string[]; forbidden: readonly string[] }> = {
  core: {
    rooms: [],
    allowed: ["zod", "re2js"],
    forbidden: [
      "node:fs",
      "node:fs/promises",
      "node:crypto",
      "yaml",
      "pino",
      "commander",
      "undici",
      "abraxas",
      "prom-client",
      "@kubernetes/client-node",
    ],
  },
  runtime: { rooms: [], allowed: ["pino", "node:os"], forbidden: ["undici", "zod", "prom-client", "@kubernetes/client-node"] },
  controllers: {
    rooms: ["core", "runtime"],
    allowed: ["node:crypto"],
    forbidden: ["node:net", "node:fs", "node:fs/promises", "node:http", "undici", "prom-client", "@kubernetes/client-node"],
  },
  kube: {
    rooms: ["core", "runtime"],
    allowed: ["undici", "@kubernetes/client-node", "node:fs"],
    forbidden: ["prom-client", "abraxas", "commander"],
  },
  gearman: { rooms: ["core", "runtime"], allowed: ["node:net"], forbidden: ["abraxas", "undici", "@kubernetes/client-node"] },
  web: {
    rooms: ["core", "runtime"],
    allowed: ["node:http", "hono", "hono/html", "@hono/node-server"],
    forbidden: ["prom-client", "undici", "@kubernetes/client-node"],
  },
  logs: {
    rooms: ["core", "runtime"],
    allowed: ["@aws-sdk/client-s3", "node:fs", "node:fs/promises"],
    forbidden: ["undici", "yaml", "prom-client", "@kubernetes/client-node"],
  },
  uploads: {
    rooms: ["core", "runtime"],
    allowed: ["saxes", "node:stream"],
    forbidden: ["undici", "prom-client", "@kubernetes/client-node"],
  },
  metrics: { rooms: ["core", "runtime"], allowed: ["prom-client"], forbidden: ["undici", "@kubernetes/client-node"] },
  "in-pod": { rooms: ["core", "runtime"], allowed: ["node:fs"], forbidden: ["undici", "commander", "@kubernetes/client-node"] },
};
/** Folders of a room that is named like one of core's: an import of it is known by them. */
const FOLDERS: Record<string, readonly string[]> = { logs: ["follow", "stores", "recording", "checking"] };
/** It puts the others together: it may import all of src/. */
const OPEN_ROOMS = ["commands"];
const TOP_FILES = ["main.ts", "operator.ts", "recording.ts", "pages.ts", "config.ts", "version.ts"];
const OUTSIDE = ["tests", "deploy", "tools"];

interface Probe {
  path: string;
  specifier: string;
  isForbidden: boolean;
}

/** One file for each import that a room may or may not have, right in the room and two folders deeper. */
function probes(): Probe[] {
  const all: Probe[] = [];
  for (const folder of ["", "deep/deeper/"]) {
    const up = folder === "" ? ".." : "../../..";
    const add = (room: string, specifier: string, isForbidden: boolean) =>
      all.push({ path: `src/${room}/${folder}probe-${all.length}.ts`, specifier, isForbidden });
    for (const [room, { rooms, allowed, forbidden }] of Object.entries(ROOMS)) {
      for (const name of allowed) add(room, name, false);
      for (const name of forbidden) add(room, name, true);
      for (const other of [...Object.keys(ROOMS), ...OPEN_ROOMS]) {
        // Within a room a file two folders deep has the longest way to another.
        if (other === room) add(room, folder === "" ? "./deep/x.ts" : "../../x.ts", false);
        else
          for (const inside of FOLDERS[other]?.map((name) => `${name}/x.ts`) ?? ["x.ts", "y/z/x.ts"])
            add(room, `${up}/${other}/${inside}`, !rooms.includes(other));
      }
      for (const file of TOP_FILES) add(room, `${up}/${file}`, true);
    }
    for (const room of [...Object.keys(ROOMS), ...OPEN_ROOMS]) {
      for (const outside of OUTSIDE) add(room, `${up}/../${outside}/support/x.ts`, true);
    }
  }
  return all;
}

describe("the walls between the rooms of src/", () => {
  const directory = mkdtempSync(join(tmpdir(), "th-walls-"));
  after(() => rmSync(directory, { recursive: true, force: true }));

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }

  /** Paths of the files in which the linter, set up as for this project, finds something against this rule. */
  function lint(rule: string): Set<string> {
    const { vcs: _, $schema: __, ...config } = JSON.parse(readFileSync(join(ROOT, "biome.json"), "utf8"));
    write("biome.json", JSON.stringify(config));
    const run = spawnSync(BIOME, ["lint", `--only=${rule}`, "--max-diagnostics=none", "--reporter=github", "."], {
      cwd: directory,
      encoding: "utf8",
      maxBuffer: 2 ** 26,
    });
    assert.equal(run.error, undefined);
    return new Set(
      run.stdout.matchAll(/^::error title=[^,]*,file=(.*?),line=/gm).map(([, path = ""]) => path.replace(`${directory}/`, "")),
    );
  }

  test("stand wherever the file is: each import that breaks one is refused, each that breaks none is not", () => {
    const all = probes();
    for (const { path, specifier } of all) write(path, `import type { X } from "${specifier}";\nexport type Y = X;\n`);
    const refused = lint("style/noRestrictedImports");
    const wrong = all.filter(({ path, isForbidden }) => refused.has(path) !== isForbidden);
    assert.deepEqual(wrong, []);
  });

  test("hold for imports of values, types and modules loaded later, and for what is passed on", () => {
    const forms = {
      value: 'import { x } from "../../kube/x.ts";\nexport const y = x;\n',
      type: 'import type { X } from "../../kube/x.ts";\nexport type Y = X;\n',
      later: 'export const y = await import("../../kube/x.ts");\n',
      passed: 'export { x } from "../../kube/x.ts";\n',
    };
    for (const [name, text] of Object.entries(forms)) write(`src/core/zuul/form-${name}.ts`, text);
    const refused = lint("style/noRestrictedImports");
    for (const name of Object.keys(forms)) assert.ok(refused.has(`src/core/zuul/form-${name}.ts`), name);
  });

  test("stand around every room there is", () => {
    const entries = readdirSync(join(ROOT, "src"), { withFileTypes: true });
    const rooms = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    assert.deepEqual(new Set(rooms), new Set([...Object.keys(ROOMS), ...OPEN_ROOMS]));
    for (const [room, names] of Object.entries(FOLDERS)) {
      for (const entry of readdirSync(join(ROOT, "src", room), { withFileTypes: true })) {
        assert.ok(entry.isDirectory() && names.includes(entry.name), `src/${room}/${entry.name} has no wall`);
      }
    }
    const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    assert.deepEqual(new Set(files), new Set(TOP_FILES));
  });
});
