import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";

const MAIN = join(import.meta.dirname, "../../../src/main.ts");
/** Runs in the program: names the package of each module that it loads. */
const TELL_PACKAGES = `
import { registerHooks } from "node:module";
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(found.url)?.[1];
    if (name !== undefined) process.stderr.write("package " + name + "\\n");
    return found;
  },
});`;

/** Every build waits for their start, twice. */
describe("what runs in pods of builds", () => {
  for (const command of ["checkout", "collect"]) {
    test(`${command} loads no package but the one that reads its options`, async () => {
      const args = [`--import=data:text/javascript,${encodeURIComponent(TELL_PACKAGES)}`, MAIN, command, "--help"];
      const { stderr } = await promisify(execFile)(process.execPath, args);
      const packages = new Set(Array.from(stderr.matchAll(/^package (\S+)$/gm), ([, name]) => name));
      assert.deepEqual([...packages], ["commander"]);
    });
  }
});
