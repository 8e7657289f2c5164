import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { importFile } from "../../../src/commands/import.ts";
import { readTestTaskDocuments } from "../../../src/commands/test-task-documents.ts";
import { InputError } from "../../../src/runtime/errors.ts";

/** The original's own sample: etc/turbo-hipster/config.yaml, with those of its datasets that its repository holds. */
const ORIGINAL = join(import.meta.dirname, "../../fixtures/original");
const GOLDEN = join(import.meta.dirname, "../../golden/import/original-sample.yaml");
const IMAGE = "registry.example.com/ci/nova-migrations:1";

function runImport(file: string, root: string) {
  let yaml = "";
  const report: string[] = [];
  const exitCode = importFile(file, { root, image: IMAGE }, { print: (text) => (yaml += text), printError: (line) => report.push(line) });
  return { exitCode, yaml, report };
}

/** A host's files: the configuration is config.yaml. */
function makeHost(t: TestContext, files: Record<string, string>): { root: string; config: string } {
  const root = mkdtempSync(join(tmpdir(), "th-import-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, config: join(root, "config.yaml") };
}

describe("turbo-hipster import", () => {
  test("makes valid TestTasks of the original's sample configuration (UPDATE=1 records them), and names what it lacks", () => {
    const { exitCode, yaml, report } = runImport(join(ORIGINAL, "config.yaml"), ORIGINAL);
    if (process.env.UPDATE === "1") writeFileSync(GOLDEN, yaml);
    assert.equal(yaml, readFileSync(GOLDEN, "utf8"));
    const documents = readTestTaskDocuments(yaml);
    assert.deepEqual(
      documents.map((document) => document.state === "valid" && document.warnings.length),
      [0, 0, 0, 0, 0],
    );
    assert.equal(exitCode, 1);
    assert.match(report[0] ?? "", /config\.yaml: 5 TestTasks .*, 1 without a counterpart$/);
    assert.equal(
      report[2],
      "  plugins[1] (build:real-db-upgrade_nova_mysql_devstack_150): /var/lib/turbo-hipster/datasets_devstack_150: no such file or directory; --root DIRECTORY names a copy of the host's files",
    );
    assert.ok(
      report.includes('  zuul_server.gearman_host: belongs to the operator: gearman.servers: ["119.9.13.90:4730"] in its configuration'),
    );
  });

  test("overlays of conf_d replace settings, in the order of their names; those that are none are told and left out", (t) => {
    const { root, config } = makeHost(t, {
      "config.yaml": "conf_d: /etc/th/conf.d\njobs: [{name: 'build:a', shell_script: make a}]\n",
      "etc/th/conf.d/10-jobs.yaml": '{"jobs": [{"name": "build:b", "shell_script": "make b"}]}',
      "etc/th/conf.d/20-jobs.yaml": "jobs:\n  - {name: 'build:c', shell_script: make c}\n",
      "etc/th/conf.d/30-text.yaml": "just a text",
      "etc/th/conf.d/40-broken.yaml": "{",
    });
    const { exitCode, yaml, report } = runImport(config, root);
    assert.equal(exitCode, 0);
    assert.deepEqual(
      readTestTaskDocuments(yaml).map(({ name }) => name),
      ["c"],
    );
    assert.deepEqual(
      report.filter((line) => line.includes("conf_d/")).map((line) => line.replace(/: .*;/, ";")),
      ["  conf_d/30-text.yaml; the original left it out too", "  conf_d/40-broken.yaml; the original left it out too"],
    );
  });

  test("what it prints means the same to kubectl's reader, which takes yes for a truth", (t) => {
    const { root, config } = makeHost(t, { "config.yaml": "jobs: [{name: 'build:yes', shell_script: 'true'}]" });
    const [document] = readTestTaskDocuments(runImport(config, root).yaml);
    assert.deepEqual(document?.state === "valid" && document.task.spec.jobs, ["yes"]);
  });

  test("a dataset that cannot be read leaves its job out, with the file", (t) => {
    const { root, config } = makeHost(t, {
      "config.yaml":
        "plugins:\n  - {name: real_db_upgrade, function: 'build:a', datasets_dir: /a}\n  - {name: real_db_upgrade, function: 'build:b', datasets_dir: /b}\n  - {name: real_db_upgrade, function: 'build:c', datasets_dir: /c}\n",
      "a/one/config.json": '{"project": "org/p"}',
      "b/readme.txt": "",
      "b/empty/seed.sql": "",
      "c/one/config.json": "{",
    });
    const { exitCode, yaml, report } = runImport(config, root);
    assert.deepEqual([exitCode, yaml], [1, ""]);
    assert.equal(report[2], "  plugins[0] (build:a): /a: one/config.json has no project, type or seed_data");
    assert.equal(report[3], "  plugins[1] (build:b): /b: there is no dataset in it, which is a directory with a config.json");
    assert.match(report[4] ?? "", /^ {2}plugins\[2\] \(build:c\): \/c: one\/config\.json: ./);
  });

  test("unusable arguments are told with their place", (t) => {
    const { root, config } = makeHost(t, { "config.yaml": "- a list" });
    const refusal = (file: string, image: string) => {
      assert.throws(() => importFile(file, { root, image }, { print: () => {}, printError: () => {} }), InputError);
    };
    refusal(config, IMAGE);
    refusal(join(root, "none.yaml"), IMAGE);
    refusal(root, IMAGE);
    refusal(join(ORIGINAL, "config.yaml"), "no image");
  });
});
