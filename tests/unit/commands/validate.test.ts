import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import test, { type TestContext } from "node:test";
import { validateFiles } from "../../../src/commands/validate.ts";

const FIXTURES = join(import.meta.dirname, "../../fixtures/test-tasks");
const TASK = "apiVersion: turbo-hipster.io/v1alpha1\nkind: TestTask\nmetadata: {name: nova}\nspec: {image: busybox, script: make}\n";

async function validate(files: string[], { json = false, stdin = "" }: { json?: boolean; stdin?: string | Buffer } = {}) {
  const printed: string[] = [];
  const errors: string[] = [];
  const exitCode = await validateFiles(
    { files, json },
    {
      stdin: (async function* () {
        yield Buffer.from(stdin);
      })(),
      print: (line) => printed.push(line),
      printError: (line) => errors.push(line),
      paint: (_tone, line) => line,
    },
  );
  return { exitCode, printed, errors };
}

async function makeFile(t: TestContext, content: string | Buffer): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "validate-"));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, "tasks.yaml");
  await writeFile(path, content);
  return path;
}

for (const name of readdirSync(join(FIXTURES, "good"))) {
  test(`accepts good/${name}`, async () => {
    const { exitCode, printed } = await validate([join(FIXTURES, "good", name)]);
    assert.equal(exitCode, 0, printed.join("\n"));
    assert.match(printed.at(-1) ?? "", /^1 valid, 0 invalid(, [12] warnings?)?$/);
  });
}

for (const name of readdirSync(join(FIXTURES, "bad"))) {
  test(`refuses bad/${name} and names the field`, async () => {
    const file = join(FIXTURES, "bad", name);
    const field = /^# refused: (.+)$/m.exec(readFileSync(file, "utf8"))?.[1];
    const { exitCode, printed } = await validate([file]);
    assert.equal(exitCode, 1);
    assert.ok(field);
    const [place, path] = (printed[0] ?? "").slice(file.length).split(": ");
    assert.match(place ?? "", /^:[0-9]+$/);
    assert.ok(path?.endsWith(field), `${printed[0]} does not name ${field}`);
  });
}

test("names file, line, field and remedy of each problem, and counts", async (t) => {
  const file = await makeFile(t, `${TASK}---\n${TASK.replace("image", "imgae")}---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n`);
  const { exitCode, printed, errors } = await validate([file]);
  assert.equal(exitCode, 1);
  assert.deepEqual(printed, [
    `${file}:1: TestTask nova is valid`,
    `${file}:9: spec.imgae: unknown field; did you mean image?`,
    `${file}:11: Secret s skipped: not a TestTask`,
    "1 valid, 1 invalid, 1 of other kinds skipped",
  ]);
  assert.deepEqual(errors, []);
});

test("- is standard input", async () => {
  const { exitCode, printed } = await validate(["-"], { stdin: TASK });
  assert.equal(exitCode, 0);
  assert.equal(printed[0], "<stdin>:1: TestTask nova is valid");
});

test("--json prints one object with every document and problem", async () => {
  const { printed } = await validate(["-"], { json: true, stdin: `${TASK}---\n${TASK}x: 1\n` });
  assert.equal(printed.length, 1);
  assert.deepEqual(JSON.parse(printed[0] ?? ""), {
    valid: 1,
    invalid: 1,
    skipped: 0,
    warnings: 0,
    files: [
      {
        file: "<stdin>",
        documents: [
          { line: 1, kind: "TestTask", name: "nova", state: "valid", problems: [], warnings: [] },
          {
            line: 6,
            kind: "TestTask",
            name: "nova",
            state: "invalid",
            problems: [{ path: "x", line: 10, column: 1, message: "unknown field; known here: apiVersion, kind, metadata, spec, status" }],
            warnings: [],
          },
        ],
      },
    ],
  });
});

test("a file without a TestTask is no success, whatever others hold", async (t) => {
  const other = await validate(["-"], { stdin: "apiVersion: v1\nkind: Pod\n" });
  assert.equal(other.exitCode, 1);
  assert.deepEqual(other.printed.slice(1), ["<stdin>: holds no TestTask", "0 valid, 0 invalid, 1 of other kinds skipped"]);
  const file = await makeFile(t, TASK);
  const { exitCode, printed } = await validate([file, "-"], { stdin: "---\n# nothing\n" });
  assert.equal(exitCode, 1);
  assert.deepEqual(printed, [`${file}:1: TestTask nova is valid`, "<stdin>: holds no TestTask", "1 valid, 0 invalid"]);
});

test("TestTasks of one name, or with one job, are warned of across files", async (t) => {
  const file = await makeFile(t, TASK);
  const named = (name: string, spec: string, namespace = "default") =>
    `${TASK.replace("{name: nova}", `{name: ${name}, namespace: ${namespace}}`).replace("{image", `{${spec}, image`)}---\n`;
  const stdin = [
    named("nova", "jobs: [b]"),
    named("other", "jobs: [a, nova]"),
    named("labelled", "jobs: [c], nodeLabels: [{name: bionic}]"),
    named("again", "jobs: [d, c], nodeLabels: [{name: bionic}]"),
    named("elsewhere", "jobs: [a]", "ci"),
  ].join("");
  const { exitCode, printed } = await validate([file, "-"], { stdin });
  assert.equal(exitCode, 0);
  assert.deepEqual(
    printed.filter((line) => line.includes("warning")),
    [
      `<stdin>:1: warning: metadata.name: is that of the TestTask at ${file}:1 too, which this one replaces; rename one`,
      `<stdin>:6: warning: spec.jobs[1]: build:nova is served by the TestTask at ${file}:1 too: the older one of the two gets its builds`,
      "<stdin>:16: warning: spec.jobs[1]: build:c is served by the TestTask at <stdin>:11 too: the older one of the two gets its builds",
      "6 valid, 0 invalid, 3 warnings",
    ],
  );
});

test("what is valid and probably not meant is a warning, at its line, and the exit code stays 0", async (t) => {
  const script = "  script: |\n    make\n    [[ -d docs ]] && make docs\n";
  const file = await makeFile(t, `${TASK.replace("{image: busybox, script: make}", "\n  jobs: [unit, noop]\n  image: python")}\n${script}`);
  const { exitCode, printed } = await validate([file]);
  assert.equal(exitCode, 0);
  assert.equal(printed[0], `${file}:1: TestTask nova is valid`);
  assert.equal(printed[1], `${file}:5: warning: spec.jobs[1]: Zuul answers noop by itself and never sends it; remove it`);
  assert.match(printed[2] ?? "", new RegExp(`^${file}:10: warning: spec\\.script: .*\\[\\[ is not found`));
  assert.equal(printed[3], "1 valid, 0 invalid, 2 warnings");
  const json = JSON.parse((await validate([file], { json: true })).printed[0] ?? "");
  assert.equal(json.warnings, 2);
  assert.deepEqual(json.files[0].documents[0].warnings[0], {
    ...{ path: "spec.jobs[1]", line: 5, column: 16 },
    message: "Zuul answers noop by itself and never sends it; remove it",
  });
});

test("a YAML error is told with line and column", async () => {
  const { exitCode, printed } = await validate(["-"], { stdin: "a: [1\n" });
  assert.equal(exitCode, 1);
  assert.match(printed[0] ?? "", /^<stdin>:2:1: /);
});

for (const [what, text, place, message] of [
  [
    "a key that stands twice",
    "a:\n  image: b\n  image: c\n",
    "3:3",
    "image stands here a second time in the same object; remove one of the two",
  ],
  ["a quoted one", '"a b": 1\n"a b": 2\n', "2:1", '"a b" stands here a second time in the same object; remove one of the two'],
  ["one between braces", "{a: 1, b: 2, a: 3}\n", "1:14", "a stands here a second time in the same object; remove one of the two"],
  [
    "a long one",
    `${"a".repeat(90)}: 1\n${"a".repeat(90)}: 2\n`,
    "2:1",
    "a key stands here a second time in the same object; remove one of the two",
  ],
  ["a tab", "a:\n\tb: 1\n", "2:1", "is indented by a tab, which YAML does not allow; write spaces"],
] as const) {
  test(`${what} is told with its remedy`, async () => {
    const { exitCode, printed } = await validate(["-"], { stdin: text });
    assert.equal(exitCode, 1);
    assert.equal(printed[0], `<stdin>:${place}: ${message}`);
  });
}

for (const [what, text, places] of [
  ["a tab", "spec:\n\timage: x\n  jobs: [a]\n", ["2:1"]],
  ["a tab below what is well", "spec:\n  image: x\n\tjobs: [a]\n  script: c\n", ["3:1"]],
  ["two tabs", "a:\n\tb: 1\nc:\n\td: 1\n", ["2:1", "4:1"]],
  ["a fault before a tab", "a: [\nb:\n\tc: 1\n  d: 1\n", ["2:1", "3:1"]],
] as const) {
  test(`${what} is told alone, without what else it makes of the lines below`, async () => {
    const { printed } = await validate(["-"], { stdin: text });
    assert.deepEqual(
      printed.slice(0, -1).map((line) => line.split(": ")[0]),
      places.map((place) => `<stdin>:${place}`),
    );
  });
}

test("lines have the colour of what they say, the count has none", async () => {
  const painted: string[] = [];
  const world = {
    stdin: Readable.from([
      `${TASK}---\n${TASK.replace("nova", "b").replace("make", "a, jobs: [noop]")}---\n${TASK}x: 1\n---\n{apiVersion: v1, kind: Pod}\n`,
    ]),
    print: () => {},
    printError: () => {},
    paint: (tone: string, line: string) => {
      painted.push(`${tone} ${line.split(" ")[0]}`);
      return line;
    },
  };
  await validateFiles({ files: ["-"], json: false }, world);
  assert.deepEqual(painted, ["good <stdin>:1:", "good <stdin>:6:", "doubtful <stdin>:9:", "bad <stdin>:15:", "aside <stdin>:17:"]);
});

test("no file, a missing file and a directory are unusable arguments, and the other files are still judged", async (t) => {
  assert.deepEqual(await validate([]), { exitCode: 2, printed: [], errors: ["name at least one file, or - for standard input"] });
  assert.deepEqual(await validate(["/nowhere"]), { exitCode: 2, printed: [], errors: ["/nowhere: no such file"] });
  const file = await makeFile(t, TASK);
  const { exitCode, printed, errors } = await validate([`${file}.missing`, tmpdir(), file]);
  assert.equal(exitCode, 2);
  assert.deepEqual(errors, [`${file}.missing: no such file`, `${tmpdir()}: is a directory; name its files`]);
  assert.deepEqual(printed, [`${file}:1: TestTask nova is valid`, "1 valid, 0 invalid"]);
});

test("text that is not UTF-8, and input without end, are refused", async () => {
  assert.deepEqual((await validate(["-"], { stdin: Buffer.from([0x61, 0xff]) })).errors, ["<stdin>: is not UTF-8 text"]);
  assert.match((await validate(["-"], { stdin: Buffer.alloc(17 * 1024 * 1024, "a") })).errors[0] ?? "", /larger than 16 MiB/);
});

test("control characters in names do not reach the terminal", async () => {
  const { printed } = await validate(["-"], { stdin: 'apiVersion: v1\nkind: "Pod\\e[2J"\nmetadata: {name: "a\\nb"}\n' });
  assert.equal(printed[0], "<stdin>:1: Pod?[2J a?b skipped: not a TestTask");
});
