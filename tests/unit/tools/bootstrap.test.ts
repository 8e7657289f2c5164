import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";

let directory: string;
/** A clone that asks for a package, an installation that does not have it, and an npm that writes down how it was called. */
let clone: string;
let elsewhere: string;

async function write(path: string, text: string): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, text);
}

function runBootstrap() {
  const PATH = join(directory, "bin");
  const { status, stderr } = spawnSync(process.execPath, ["tools/bootstrap.mjs", "entry.ts"], {
    cwd: clone,
    env: { PATH },
    encoding: "utf8",
  });
  return { status, stderr };
}

const npmCalls = () => readFile(join(directory, "npm-calls"), "utf8").catch(() => "");

describe("bootstrap, where node_modules is not what the lock file asks for", () => {
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "th-bootstrap-"));
  });
  beforeEach(async () => {
    await rm(directory, { recursive: true });
    clone = join(directory, "clone");
    elsewhere = join(directory, "elsewhere");
    await write(join(clone, "package-lock.json"), JSON.stringify({ packages: { "": {}, "node_modules/wanted": { version: "1.0.0" } } }));
    await write(join(clone, "tools", "bootstrap.mjs"), "");
    await copyFile(join(import.meta.dirname, "../../../tools/bootstrap.mjs"), join(clone, "tools", "bootstrap.mjs"));
    await write(join(elsewhere, ".package-lock.json"), JSON.stringify({ packages: {} }));
    await write(join(directory, "bin", "npm"), `#!/bin/sh\necho "$@" >> "${directory}/npm-calls"\nexit 7\n`);
    await chmod(join(directory, "bin", "npm"), 0o755);
  });
  after(() => rm(directory, { recursive: true, force: true }));

  for (const [what, isThere] of [
    ["a symbolic link", true],
    ["a symbolic link to what is not there", false],
  ] as const) {
    test(`runs no npm ci through ${what}, and says why`, async () => {
      if (!isThere) await rm(elsewhere, { recursive: true });
      await symlink("../elsewhere", join(clone, "node_modules"));
      const { status, stderr } = runBootstrap();
      assert.equal(await npmCalls(), "");
      assert.equal(status, 1);
      for (const part of [join(clone, "node_modules"), "symbolic link to ../elsewhere", `rm ${clone}/node_modules`])
        assert.ok(stderr.includes(part), stderr);
      if (isThere) assert.deepEqual(await readdir(elsewhere), [".package-lock.json"]);
    });
  }

  for (const [what, make] of [
    ["is a folder", (path: string) => mkdir(path)],
    ["is not there", async () => {}],
  ] as const) {
    test(`runs npm ci when it ${what}`, async () => {
      await make(join(clone, "node_modules"));
      const { status, stderr } = runBootstrap();
      assert.match(await npmCalls(), /^ci /);
      assert.equal(status, 1);
      assert.match(stderr, /npm ci failed/);
    });
  }
});
