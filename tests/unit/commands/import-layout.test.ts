import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { importCommand } from "../../../src/commands/import.ts";
import { importLayoutFile } from "../../../src/commands/import-layout.ts";
import { readTestTaskDocuments } from "../../../src/commands/test-task-documents.ts";
import { InputError } from "../../../src/runtime/errors.ts";

const FIXTURES = join(import.meta.dirname, "../../fixtures");
const GOLDEN = join(import.meta.dirname, "../../golden/import/layout.yaml");
const IMAGE = "registry.example.com/ci/trusty:1";

async function runImport(file: string, jjb?: string, image = IMAGE) {
  let yaml = "";
  const report: string[] = [];
  const world = { print: (text: string) => (yaml += text), printError: (line: string) => report.push(line) };
  const exitCode = await importLayoutFile(file, { image, ...(jjb === undefined ? {} : { jjb }) }, world);
  const tasks = readTestTaskDocuments(yaml).map((document) => {
    assert.equal(document.state, "valid", JSON.stringify(document));
    return document.state === "valid" ? document.task : assert.fail();
  });
  return { exitCode, yaml, report, tasks };
}

function makeFile(t: TestContext, text: string | Buffer): string {
  const directory = mkdtempSync(join(tmpdir(), "th-layout-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "layout.yaml");
  writeFileSync(path, text);
  return path;
}

const layout = (rest: string) => `pipelines: [{name: check}, {name: gate}]\n${rest}`;

describe("turbo-hipster import layout", () => {
  test("drafts a valid TestTask for each job but noop, with what Jenkins ran (UPDATE=1 records them), and tells what is left", async () => {
    const { exitCode, yaml, report, tasks } = await runImport(join(FIXTURES, "layouts/templates.yaml"), join(FIXTURES, "jjb"));
    if (process.env.UPDATE === "1") writeFileSync(GOLDEN, yaml);
    assert.equal(yaml, readFileSync(GOLDEN, "utf8"));
    assert.ok(tasks.every(({ spec }) => spec.suspend && spec.checkout.enabled && spec.image === IMAGE && spec.script !== undefined));
    assert.deepEqual(
      tasks.flatMap(({ spec }) => spec.jobs.filter((job) => job === "noop" || job.startsWith("drum-py") || job === "never-used")),
      ["drum-py27", "drum-py34"],
    );
    assert.equal(exitCode, 1);
    assert.match(report[0] ?? "", /templates\.yaml: 20 TestTasks .*, 3 without a counterpart$/);
    assert.deepEqual(
      report.slice(1, 5).map((line) => line.replace(/ is a template of Zuul's layout.*/, "")),
      [
        "without a counterpart:",
        "  job drum-upload-to-{braces}-mirror: the TestTask's spec.jobs[0]",
        "  job guitar-upload-to-{braces}-mirror: the TestTask's spec.jobs[0]",
        "  job guitar-{not-a-template}: the TestTask's spec.jobs[0]",
      ],
    );
    assert.match(report.at(-1) ?? "", /python\.yaml\[3\] \(project drum\): names not-there, which no file defines$/);
  });

  test("a job's own regular expression has no TestTask, and names that Kubernetes does not tell apart get numbers", async (t) => {
    const jobs = "projects: [{name: org/p, check: [^all.*, Unit.Test, unit_test]}]\n";
    const { exitCode, report, tasks } = await runImport(makeFile(t, layout(jobs)));
    assert.deepEqual([exitCode, tasks.map(({ metadata }) => metadata.name)], [1, ["unit-test", "unit-test-2"]]);
    assert.match(report.join("\n"), /job \^all\.\*: the TestTask's spec\.jobs\[0\] is a regular expression/);
  });

  test("exits with 0 where each job has its draft, and names the projects that use it", async (t) => {
    const jobs = `projects: [${[1, 2, 3, 4, 5].map((n) => `{name: p${n}, gate: [unit], check: [noop, unit]}`).join(", ")}]\n`;
    const { exitCode, yaml } = await runImport(makeFile(t, layout(jobs)));
    assert.equal(exitCode, 0);
    assert.match(yaml, /^# Zuul sends unit for p1 \(check, gate\), p2 \(check, gate\), p3 \(check, gate\), 2 more projects$/m);
  });

  const faults: [string, string, RegExp][] = [
    [
      "a template that is not there",
      "projects: [{name: p, template: [{name: t}]}]",
      /projects\[0\] \(p\)\.template\[0\]: names no template/,
    ],
    [
      "a value that is missing",
      "project-templates: [{name: t, check: ['{name}-{x}']}]\nprojects: [{name: p, template: [{name: t}]}]",
      /the template's \{name\}-\{x\} needs a value for \{x\}/,
    ],
    [
      "a conversion of Python's",
      "project-templates: [{name: t, check: ['{name!r}']}]\nprojects: [{name: p, template: [{name: t}]}]",
      /has \{name!r\}, which is no plain name/,
    ],
    ["a name that is no text", "projects: [{name: p, check: [7]}]", /\(p\)\.check: 7 is no text/],
    ["a name with a blank", "projects: [{name: p, check: ['a b']}]", /"a b" is no job's name/],
    ["one job where a list belongs", "projects: [{name: p, check: unit}]", /is no list of jobs, of which Zuul/],
    ["a project without a name", "projects: [{check: [unit]}]", /projects\[0\]: has no name/],
    [
      "an expression that is none of RE2's",
      "jobs: [{name: '^(?!a)b', parameter-function: f}]\nprojects: []",
      /jobs\[0\] \(\^\(\?!a\)b\): nobody knows here which jobs have its parameter-function f/,
    ],
    [
      "jobs that wait without end",
      `projects: [{name: p, check: ${"[{a: ".repeat(150)}[]${"}]".repeat(150)}}]`,
      /more than 100 jobs that wait/,
    ],
  ];
  for (const [name, text, message] of faults) {
    test(`tells what can't be read, and where, and exits with 1: ${name}`, async (t) => {
      const { exitCode, report } = await runImport(makeFile(t, layout(text)));
      assert.equal(exitCode, 1);
      assert.match(report.join("\n"), message);
    });
  }

  test("one anchor may be used by as many projects as there are", async (t) => {
    const projects = ["{name: p, check: &unit [unit]}", ...Array.from({ length: 2000 }, (_, index) => `{name: p${index}, check: *unit}`)];
    const { exitCode, yaml } = await runImport(makeFile(t, layout(`projects: [${projects.join(", ")}]\n`)));
    assert.equal(exitCode, 0);
    assert.match(yaml, /^# Zuul sends unit for .*, 1998 more projects$/m);
  });

  test("a list within itself ends", async (t) => {
    const { exitCode, report } = await runImport(makeFile(t, layout("projects: [{name: p, check: &jobs [unit, [*jobs, *jobs]]}]")));
    assert.equal(exitCode, 1);
    assert.match(report.join("\n"), /\(p\)\.check: is as far as was read: jobs are named 500000 times/);
  });

  const bomb = `a: &a [x, x, x, x, x, x, x, x, x, x]\n${[..."bcdefgh"].map((key, index) => `${key}: &${key} [${`*${"abcdefg"[index]}, `.repeat(10)}]`).join("\n")}\n`;
  const unreadable: [string, string | Buffer, RegExp][] = [
    ["two keys alike", "pipelines: []\npipelines: []\n", /layout\.yaml:2:1: pipelines stands here a second time/],
    ["a tab", "projects:\n\t- name: p\n", /layout\.yaml:2:1: is indented by a tab/],
    ["aliases that stand for too much", bomb, /layout\.yaml:1:1: Excessive alias count/],
    ["more aliases than any file needs", `a: &a x\nb: [${"*a, ".repeat(20_001)}]\n`, /layout\.yaml: has more than 20000 aliases/],
    ["no text in UTF-8", Buffer.of(0xff), /layout\.yaml: is not UTF-8 text/],
    ["several documents", "a: 1\n---\nb: 2\n", /holds more than one document/],
    ["nothing", "", /is empty/],
    ["another file", "kind: TestTask\n", /is no layout of Zuul's: it has no list pipelines/],
    ["no projects", layout(""), /is no layout of Zuul's: it has no list projects/],
  ];
  for (const [name, text, message] of unreadable) {
    test(`is refused: ${name}`, async (t) => {
      await assert.rejects(runImport(makeFile(t, text)), (error: Error) => error instanceof InputError && message.test(error.message));
    });
  }

  test("refuses what is no image, no file and no directory of Jenkins Job Builder's", async (t) => {
    const file = makeFile(t, layout("projects: []"));
    await assert.rejects(runImport(file, undefined, "no image"), /--image no image: is no image/);
    await assert.rejects(runImport("/nowhere/layout.yaml"), /\/nowhere\/layout\.yaml: no such file/);
    await assert.rejects(runImport(file, "/nowhere"), /--jjb \/nowhere: /);
    const empty = mkdtempSync(join(tmpdir(), "th-jjb-"));
    t.after(() => rmSync(empty, { recursive: true }));
    await assert.rejects(runImport(file, empty), /has no files \.yaml or \.yml/);
    writeFileSync(join(empty, "broken.yaml"), "{");
    writeFileSync(join(empty, "other.yml"), "kind: Pod");
    const { report } = await runImport(file, empty);
    assert.match(report.join("\n"), /broken\.yaml:1:2: .*\n.*other\.yml: is no file of Jenkins Job Builder/);
  });

  test("of Jenkins Job Builder's files links are read, and links to directories not followed", async (t) => {
    const file = makeFile(t, layout("projects: [{name: p, check: [a, b, c]}]"));
    const directory = mkdtempSync(join(tmpdir(), "th-jjb-"));
    t.after(() => rmSync(directory, { recursive: true }));
    mkdirSync(join(directory, "below"));
    const define = (name: string) => `[{job: {name: ${name}, builders: [{shell: "run ${name}"}]}}]`;
    writeFileSync(join(directory, "below/a.yaml"), define("a"));
    writeFileSync(join(directory, "b.other"), define("b"));
    symlinkSync("b.other", join(directory, "b.yml"));
    symlinkSync(".", join(directory, "loop"));
    symlinkSync("..", join(directory, "below/up"));
    symlinkSync("gone", join(directory, "broken.yaml"));
    const { yaml, report } = await runImport(file, directory);
    assert.deepEqual(yaml.match(/run \w/g), ["run a", "run b"]);
    assert.doesNotMatch(report.join("\n"), /too, which is taken/);
    assert.match(report.join("\n"), /broken\.yaml: no such file/);
  });

  for (const [option, remedy] of [
    ["--image", "write it behind layout"],
    ["--root", "leave it out"],
  ] as const) {
    test(`refuses ${option} before its name, where it would not be heard`, async (t) => {
      const args = [option, "registry.example.com/ci/a:1", "layout", makeFile(t, layout("projects: []"))];
      const wanted = { code: "TH_INPUT", message: `${option} before layout: is an option of import alone; ${remedy}` };
      await assert.rejects(importCommand().parseAsync(args, { from: "user" }), wanted);
    });
  }

  test("its options stand behind it, and a configuration may still be imported", async () => {
    const [command] = importCommand().commands;
    assert.deepEqual([command?.name(), command?.options.map(({ long }) => long)], ["layout", ["--jjb", "--image"]]);
  });
});
