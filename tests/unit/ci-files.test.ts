import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";

const ROOT = join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const GITHUB = ".github/workflows/ci.yaml";
const GITLAB = ".gitlab-ci.yml";

/** The commands of each job, one a line, in order. */
function jobsOf(file: string): Record<string, string[]> {
  const lines = (scripts: string[]) => scripts.flatMap((script) => script.trimEnd().split("\n"));
  if (file === GITLAB) {
    return Object.fromEntries(
      Object.entries<{ before_script?: string[]; script: string[] }>(parse(read(file))).map(([name, job]) => [
        name,
        lines([...(job.before_script ?? []), ...job.script]),
      ]),
    );
  }
  const { jobs } = parse(read(file)) as { jobs: Record<string, { steps: { run?: string }[] }> };
  return Object.fromEntries(Object.entries(jobs).map(([name, { steps }]) => [name, lines(steps.flatMap(({ run }) => run ?? []))]));
}

/** Whatever runs a program of this repository. */
const OURS = /\b(npm|npx|node) |(^|\s)(\.\/|tools\/|tests\/|src\/)/;
const oursOf = (commands: readonly string[] = []) => commands.filter((command) => OURS.test(command));

describe("the CI's files", () => {
  test("run the two commands of the README, and no others", () => {
    for (const file of [GITHUB, GITLAB]) assert.deepEqual(oursOf(jobsOf(file).test), ["npm test", "npm run demo"], file);
    assert.match(read("README.md"), /^npm run demo$/m);
    assert.match(read("README.md"), /^npm test\s/m);
  });

  test("run what people without root can run in a cluster that is there, with the image that they gave it", () => {
    const commands = jobsOf(GITHUB).kind ?? [];
    assert.deepEqual(oursOf(commands), ["npm test -- contract e2e --context kind-kind"]);
    const image = "turbo-hipster:dev";
    assert.ok(commands.includes(`docker build --file deploy/Dockerfile --tag ${image} .`));
    assert.ok(commands.includes(`kind create cluster && kind load docker-image ${image}`));
    assert.match(read("tools/image.ts"), new RegExp(`DEFAULT_TAG = "${image}"`), "which --image is by default");
  });

  test("have the packages installed that nobody without root can install", () => {
    const [, list] = /const PACKAGES = (\[.*\]);/.exec(read("tests/run.ts")) ?? [];
    const installed = (jobsOf(GITHUB).kind ?? []).find((command) => command.includes("apt-get install"))?.split(" ") ?? [];
    const missing = JSON.parse(list ?? "[]").filter((name: string) => !installed.includes(name));
    assert.deepEqual([typeof list, missing], ["string", []]);
  });

  test("keep what was built as long as what it is made by is the same", () => {
    const [, patterns] = /hashFiles\((.*)\)/.exec(read(GITHUB)) ?? [];
    const globs = [...(patterns ?? "").matchAll(/'([^']+)'/g)].map(([, glob]) => String(glob));
    assert.ok(globs.length > 0);
    for (const glob of globs) assert.ok(globSync(glob, { cwd: ROOT }).length > 0, `${glob} is nothing`);
  });
});
