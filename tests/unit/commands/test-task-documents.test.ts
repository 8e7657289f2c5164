import assert from "node:assert/strict";
import test from "node:test";
import { type LocatedProblem, readTestTaskDocuments } from "../../../src/commands/test-task-documents.ts";

const HEAD = "apiVersion: turbo-hipster.io/v1alpha1\nkind: TestTask\n";
const TASK = `${HEAD}metadata:\n  name: nova\n  namespace: ci\nspec:\n  image: busybox\n`;

function problemsIn(text: string): LocatedProblem[] {
  return readTestTaskDocuments(text).flatMap((document) => (document.state === "invalid" ? document.problems : []));
}

test("each document of a file is read, with the line where it begins", () => {
  const documents = readTestTaskDocuments(
    `${TASK}---\n# nothing here\n---\nkind: Service\napiVersion: v1\nmetadata: {name: web}\n---\n${TASK}`,
  );
  assert.deepEqual(
    documents.map(({ state, line, kind, name }) => ({ state, line, kind, name })),
    [
      { state: "valid", line: 1, kind: "TestTask", name: "ci/nova" },
      { state: "skipped", line: 11, kind: "Service", name: "web" },
      { state: "valid", line: 15, kind: "TestTask", name: "ci/nova" },
    ],
  );
});

test("the items of a List are read", () => {
  const item = TASK.replaceAll("\n", "\n    ").trimEnd();
  const [first, second] = readTestTaskDocuments(`apiVersion: v1\nkind: List\nitems:\n  - ${item}\n  - ${item}\n    x: 1\n`);
  assert.equal(first?.state, "valid");
  assert.equal(second?.line, 11);
  assert.equal(second?.state, "invalid");
});

test("a problem is placed at the key it is about", () => {
  assert.deepEqual(problemsIn(`${TASK}  timeouts:\n    pull: 1m\n    run: 1d\n`), [
    { path: "spec.timeouts.run", line: 10, column: 5, message: "must be a duration from 1s to 168h, such as 90s, 10m or 1h30m" },
  ]);
  assert.deepEqual(
    problemsIn(`${TASK}  jobs:\n    - unit\n    - a:b\n`).map(({ path, line, column }) => ({ path, line, column })),
    [{ path: "spec.jobs[1]", line: 10, column: 7 }],
  );
});

test("a problem of something that is missing is placed at what should have it", () => {
  assert.deepEqual(
    problemsIn(`${TASK}  env:\n    - name: A\n`).map(({ path, line }) => ({ path, line })),
    [{ path: "spec.env[0].value", line: 9 }],
  );
});

test("a problem behind an alias is placed where the text stands", () => {
  const labels = "  nodeLabels:\n    - name: a\n      nodeSelector: &s\n        disk: true\n    - name: b\n      nodeSelector: *s\n";
  assert.deepEqual(
    problemsIn(TASK + labels).map(({ path, line }) => ({ path, line })),
    [
      { path: "spec.nodeLabels[0].nodeSelector.disk", line: 11 },
      { path: "spec.nodeLabels[1].nodeSelector.disk", line: 11 },
    ],
  );
});

test("text that is no YAML is refused with line and column", () => {
  const [problem] = problemsIn(`${TASK}  jobs: [unit\nmore: 1\n`);
  assert.equal(problem?.path, "");
  assert.equal(problem?.line, 9);
  assert.ok((problem?.column ?? 0) >= 1);
});

test("a key that is written twice is refused", () => {
  assert.match(problemsIn(`${TASK}  image: python\n`)[0]?.message ?? "", /^image stands here a second time/);
});

test("YAML is read as kubectl reads it: yes is true, a date is a string", () => {
  assert.equal(readTestTaskDocuments(`${TASK}  suspend: yes\n`)[0]?.state, "valid");
  assert.equal(readTestTaskDocuments(`${TASK}  jobs: [2001-01-01, 12:30:45x]\n`)[0]?.state, "invalid");
  assert.equal(readTestTaskDocuments(`${TASK}  jobs: [2001-01-01]\n`)[0]?.state, "valid");
  assert.match(problemsIn(`${TASK}  env: [{name: A, value: on}]\n`)[0]?.message ?? "", /put it in quotes/);
});

test("a lone point is a string", () => {
  assert.equal(readTestTaskDocuments(`${TASK}  env: [{name: PYTHONPATH, value: .}]\n`)[0]?.state, "valid");
  assert.equal(readTestTaskDocuments(`${TASK}  env: [{name: A, value: .5}]\n`)[0]?.state, "invalid");
});

test("what looks like a number and is too large for one, or has no digits, is a string", () => {
  for (const value of ["5e99999", "-5e99999", "e5", ".e5"]) {
    assert.equal(readTestTaskDocuments(`${TASK}  env: [{name: COMMIT, value: ${value}}]\n`)[0]?.state, "valid", value);
  }
  for (const value of ["5e3", "1.5e3"]) {
    assert.equal(readTestTaskDocuments(`${TASK}  env: [{name: COMMIT, value: ${value}}]\n`)[0]?.state, "invalid", value);
  }
});

/** `path: message` of the warnings of one valid task. */
function warningsIn(text: string): string[] {
  const [document] = readTestTaskDocuments(text);
  assert.ok(document?.state === "valid", JSON.stringify(document));
  return document.warnings.map(({ line, path, message }) => `${line} ${path}: ${message}`);
}

test("lines that YAML makes one command of are told, however they are written", () => {
  const line = TASK.split("\n").length;
  const folded = [
    "script: >\n    cd /tmp\n    make check\n",
    "script: >-\n    cd /tmp\n    make check\n\n    make docs\n",
    "script: cd /tmp\n    make check\n",
    "script: 'cd /tmp\n    make check'\n",
    'script: "cd /tmp\r\n    make check"\n',
  ];
  for (const script of folded) {
    const message = 'YAML makes one line of its lines: "cd /tmp make check" is one command; write script: |';
    assert.deepEqual(warningsIn(`${TASK}  ${script}`), [`${line} spec.script: ${message}`], script);
  }
});

test("a command that is broken into lines, and lines that stay what they are, are not", () => {
  const good = [
    "script: |\n    cd /tmp\n    make check\n",
    "script: >\n    python -m pytest\n    --numprocesses 4\n    -v\n",
    "script: >\n    make check &&\n    make docs\n",
    "script: >\n    make check\n    && make docs\n",
    "script: >\n    make check\n\n    make docs\n",
    "script: >\n    make check\n      make docs\n",
    'script: "cd /tmp\\nmake check"\n',
    "script: make check\n",
  ];
  for (const script of good) assert.deepEqual(warningsIn(`${TASK}  ${script}`), [], script);
});

test("a file with Windows line ends gives a script without them, and no warning; written as escapes they are told", () => {
  const crlf = `${TASK}  script: |\n    make\n    make check\n`.replaceAll("\n", "\r\n");
  const [document] = readTestTaskDocuments(crlf);
  assert.equal(document?.state === "valid" && document.task.spec.script, "make\nmake check\n");
  assert.deepEqual(warningsIn(crlf), []);
  assert.match(warningsIn(`${TASK}  script: "make\\r\\nmake check\\r\\n"\n`)[0] ?? "", /lines end as on Windows/);
});

test("a template whose test is not plain to see is told", () => {
  const template = (containers: string) => TASK.replace("  image: busybox\n", `  template: {spec: {containers: ${containers}}}\n`);
  assert.match(
    warningsIn(template("[{name: a, image: i, command: [x]}, {name: b, image: i}]"))[0] ?? "",
    /^7 spec\.template\.spec\.containers\[0\]: is the test because it is the first of several and none is named test; name it test$/,
  );
  assert.match(
    warningsIn(template("[{name: a, image: i}, {name: test, image: i}]"))[0] ?? "",
    /containers\[1\]: has neither script nor command/,
  );
  assert.match(warningsIn(TASK)[0] ?? "", /^7 spec\.image: has neither script nor command: the image's own command is the test$/);
  for (const containers of ["[{name: a, image: i, args: [x]}]", "[{name: a, image: i}, {name: test, image: i, command: [x]}]"]) {
    assert.deepEqual(warningsIn(template(containers)), []);
  }
});

test("aliases that multiply are refused", () => {
  const levels = Array.from({ length: 9 }, (_, level) => `  a${level + 1}: &a${level + 1} [${Array(9).fill(`*a${level}`).join(", ")}]`);
  const [problem] = problemsIn(`${TASK}x:\n  a0: &a0 [lol, lol]\n${levels.join("\n")}\n`);
  assert.match(problem?.message ?? "", /resource exhaustion/);
});

test("an alias without an anchor is refused", () => {
  assert.match(problemsIn(`${TASK}  script: *nothing\n`)[0]?.message ?? "", /alias/i);
});

test("what nearly is a TestTask is a problem, not something to skip", () => {
  assert.equal(problemsIn(TASK.replace("kind: TestTask", "kind: Testtask"))[0]?.path, "kind");
  assert.equal(problemsIn(TASK.replace("v1alpha1", "v1"))[0]?.path, "apiVersion");
  assert.equal(problemsIn(TASK.replace("turbo-hipster.io", "turbo-hipsters.io"))[0]?.path, "apiVersion");
  assert.match(problemsIn("a: 1\n")[0]?.message ?? "", /is no Kubernetes object/);
  assert.match(problemsIn("just a sentence\n")[0]?.message ?? "", /is no Kubernetes object/);
});

test("nesting without end is refused", () => {
  assert.equal(readTestTaskDocuments(`${TASK}  script: ${"[".repeat(50_000)}\n`)[0]?.state, "invalid");
});
