// `npm run check`: types, lint and unit tests, side by side, for every commit.
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const bin = (name: string) => join(ROOT, "node_modules", ".bin", name);

const CHECKS: Record<string, [string, ...string[]]> = {
  types: [bin("tsc"), "-p", "."],
  lint: [bin("biome"), "check", "--error-on-warnings", "."],
  "unit tests": [
    process.execPath,
    ...["--test", "--import", join(ROOT, "tests/support/leak-check.ts"), "--test-reporter=dot"],
    ...globSync("tests/unit/**/*.test.ts", { cwd: ROOT }),
  ],
};

/** Runs one check; its output is shown only when it fails. */
async function runCheck(name: string, [command, ...args]: [string, ...string[]]): Promise<boolean> {
  const startedMs = performance.now();
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk) => output.push(chunk));
  child.stderr.on("data", (chunk) => output.push(chunk));
  const code = await new Promise((resolve) => child.on("close", resolve));
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (code !== 0) console.log(Buffer.concat(output).toString());
  return code === 0;
}

const passed = await Promise.all(Object.entries(CHECKS).map(([name, command]) => runCheck(name, command)));
process.exitCode = passed.every(Boolean) ? 0 : 1;
