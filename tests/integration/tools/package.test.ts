import assert from "node:assert/strict";
import { cpSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type CommandError, runCommand } from "../../../tools/machine/run-command.ts";
import { stageProgram } from "../../../tools/stage-package.ts";

const ROOT = join(import.meta.dirname, "../../..");
const VERSION: string = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;

/** The packages that the sources import, but for their types. */
function importedPackages(): Set<string> {
  const sources = globSync("src/**/*.ts", { cwd: ROOT, exclude: (path) => path.includes("assets") });
  const specifiers = sources.flatMap((source) => {
    const imports = readFileSync(join(ROOT, source), "utf8").matchAll(/^import (?!type )[^;]*? from "([^."][^"]*)";$/gm);
    return Array.from(imports, ([, specifier = ""]) => specifier).filter((specifier) => !specifier.startsWith("node:"));
  });
  assert.ok(specifiers.includes("zod"));
  return new Set(specifiers.map((specifier) => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? ""));
}

describe("the published package", () => {
  const directory = mkdtempSync(join(tmpdir(), "th-package-"));
  const bin = join(directory, "package", "bin", "turbo-hipster.js");
  const run = (...args: string[]) => runCommand(process.execPath, args, { cwd: directory });

  before(async () => {
    await stageProgram(join(directory, "package"));
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  test("runs without its sources and without any package beside it", async () => {
    assert.equal(await run(bin, "--version"), `${VERSION}\n`);
    assert.match(await run(bin, "--help"), /operator/);
  });

  test("is installed from what npm packs, and brings no other package along", async () => {
    const { files } = JSON.parse(await runCommand("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: ROOT }))[0];
    const packed = files.map(({ path }: { path: string }) => path);
    for (const path of ["README.md", "CHANGELOG.md", "docs/README.md", "charts/turbo-hipster/Chart.yaml", "deploy/examples/values.yaml"])
      assert.ok(packed.includes(path), path);
    const [tarball] = JSON.parse(await runCommand("npm", ["pack", "--json", "--ignore-scripts"], { cwd: join(directory, "package") }));
    const prefix = join(directory, "installed");
    // Offline: npm would fail for a package that it had to get.
    await runCommand("npm", ["install", "--offline", "--global", "--prefix", prefix, join(directory, "package", tarball.filename)]);
    rmSync(join(directory, "package", tarball.filename));
    assert.deepEqual(readdirSync(join(prefix, "lib", "node_modules")), ["turbo-hipster"]);
    assert.deepEqual(readdirSync(join(prefix, "bin")).sort(), ["kubectl-th", "turbo-hipster"]);
    assert.equal(await run(join(prefix, "bin", "kubectl-th"), "--version"), `${VERSION}\n`);
  });

  test("loads every command, with what it is made of", async () => {
    const [, list = ""] = (await run(bin, "--help")).split("Commands:\n");
    const commands = [...list.matchAll(/^ {2}([a-z]+)/gm)].flatMap(([, name]) => (name === "help" ? [] : name));
    assert.ok(commands.length >= 9);
    for (const name of commands) assert.match(await run(bin, `${name}`, "--help"), new RegExp(`^Usage: turbo-hipster ${name}`));
  });

  test("holds the licences of all packages that it has something of", () => {
    const texts = readFileSync(join(directory, "package", "dist", "LICENSES.txt"), "utf8");
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    for (const name of importedPackages()) assert.ok(texts.includes(`\n${name} ${devDependencies[name]}, `), name);
    assert.match(texts, /\nundici [^\n]+, MIT\n\nMIT License\n\nCopyright/);
  });

  for (const [name, word] of [
    // import * as z from "zod": esbuild keeps the object `z`, which one could import as well, with all that is in it.
    ["zod", "fromJSONSchema"],
    ["undici", "UND_MOCK_ERR_MOCK_NOT_MATCHED"],
    ["undici", "permessage-deflate"],
  ] as const) {
    test(`holds nothing of ${name} that nobody uses, such as ${word}`, () => {
      const dist = join(directory, "package", "dist");
      const holders = readdirSync(dist).filter((file) => file.endsWith(".js") && readFileSync(join(dist, file), "utf8").includes(word));
      assert.deepEqual(holders, []);
    });
  }

  test("says what it is made of, in npm's own words for the same packages", async () => {
    const { metadata, components } = JSON.parse(readFileSync(join(directory, "package", "dist", "sbom.cdx.json"), "utf8"));
    assert.equal(metadata.component.purl, `pkg:npm/turbo-hipster@${VERSION}`);
    const arguments_ = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
    const locked: { components: { purl: string; version: string }[] } = JSON.parse(await runCommand("npm", arguments_, { cwd: ROOT }));
    const known = new Map(locked.components.map(({ purl, version }) => [purl, version]));
    for (const { purl, version } of components) assert.equal(known.get(purl), version, purl);
    const names = new Set(components.map(({ name }: { name: string }) => name));
    for (const name of importedPackages()) assert.ok(names.has(name), name);
    assert.ok(!names.has("esbuild") && !names.has("typescript"));
  });

  test("is staged for an image without what is there to be read only", () => {
    const entries = readdirSync(join(directory, "package"));
    assert.deepEqual(entries.sort(), ["LICENSE", "bin", "crds", "dist", "package.json"]);
  });

  test("says which Node it needs on an older one, and exits 1", async () => {
    const pretend = (version: string) => `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"${version}"}})`;
    for (const old of ["18.20.8", "24.11.1"]) {
      await assert.rejects(run("--import", pretend(old), bin, "--version"), (error: CommandError) => {
        assert.equal(error.exitCode, 1);
        assert.match(error.stderr, new RegExp(`needs Node 24\\.12 or later, this is ${old.replaceAll(".", "\\.")}`));
        return true;
      });
    }
    assert.equal(await run("--import", pretend("25.0.0"), bin, "--version"), `${VERSION}\n`);
  });

  test("a checkout runs its sources even when an older build lies beside them", async () => {
    const checkout = join(directory, "checkout");
    cpSync(join(directory, "package"), checkout, { recursive: true, verbatimSymlinks: true });
    cpSync(join(ROOT, "src"), join(checkout, "src"), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(checkout, "node_modules"));
    writeFileSync(join(checkout, "dist", "main.js"), 'throw new Error("the older build");');
    assert.equal(await run(join(checkout, "bin", "turbo-hipster.js"), "--version"), `${VERSION}\n`);
  });
});
