import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { VERSION } from "../../../src/version.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { parsePlatforms } from "../../../tools/platforms.ts";

const ROOT = join(import.meta.dirname, "../../..");
const WORKFLOWS = join(ROOT, ".github/workflows");

interface Workflow {
  on: { push: { tags?: string[] } };
  jobs: Record<string, { needs?: string; steps: { name?: string; run?: string }[] }>;
}

function read(file: string): Workflow {
  return parse(readFileSync(join(WORKFLOWS, file), "utf8"));
}

const release = read("release.yaml");
const scripts = Object.values(release.jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []));
const ofImages = scripts.find((script) => script.includes("docker buildx build")) ?? "";

describe("the workflow that publishes a release", () => {
  test("publishes after the very tests that every change passes", () => {
    assert.deepEqual(release.jobs.test, read("ci.yaml").jobs.test);
    assert.equal(release.jobs.publish?.needs, "test");
    assert.deepEqual(release.on, { push: { tags: ["v*"] } });
  });

  test("builds what there is, for the processors that images are made for", () => {
    const [, platforms = ""] = /--platform (\S+)/.exec(ofImages) ?? [];
    assert.deepEqual(parsePlatforms(platforms), ["amd64", "arm64"]);
    const builds = [...ofImages.matchAll(/^build --tag "\$PLACE\/([a-z-]+):\$VERSION" (.*)$/gm)];
    assert.deepEqual(
      builds.map(([, name]) => name),
      ["turbo-hipster", "turbo-hipster-gearmand"],
    );
    for (const [, , rest = ""] of builds) {
      const [context = "", file = `${context}/Dockerfile`] = rest
        .replace(/^--file /, "")
        .split(" ")
        .reverse();
      assert.match(readFileSync(join(ROOT, file), "utf8"), /^ARG VERSION=/m, file);
    }
    for (const script of scripts)
      for (const [path] of script.matchAll(/(?<![\w/$"])(?:tools|charts)\/[\w./-]+/g)) assert.ok(existsSync(join(ROOT, path)), path);
  });

  test("ends where the tag is not the version's", async () => {
    const check = release.jobs.publish?.steps.find(({ run }) => run?.includes("GITHUB_ENV"))?.run ?? "";
    const directory = mkdtempSync(join(tmpdir(), "th-release-"));
    const env = { REGISTRY: "r.example", REGISTRY_PATH: "Some-Owner", GITHUB_ENV: join(directory, "env") };
    const run = (tag: string) => runCommand("bash", ["-e", "-c", check], { cwd: ROOT, env: { ...env, TAG: tag } });
    try {
      await assert.rejects(run("v99.0.0"));
      assert.ok(!existsSync(env.GITHUB_ENV));
      await run(`v${VERSION}`);
      assert.equal(readFileSync(env.GITHUB_ENV, "utf8"), `VERSION=${VERSION}\nPLACE=r.example/some-owner\n`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("is written so that each script is one of bash's", async () => {
    assert.ok(scripts.length > 8);
    for (const script of scripts) await runCommand("bash", ["-n", "-c", script.replaceAll(/\$\{\{.*?\}\}/g, "x")]);
  });
});
