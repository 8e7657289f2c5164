import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { performCheck } from "../../../src/commands/check.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "th-check-"));
after(() => rmSync(DIRECTORY, { recursive: true }));

const TASK = `
apiVersion: turbo-hipster.io/v1alpha1
kind: TestTask
metadata: {name: migrations}
spec:
  image: busybox
  checks:
    - {name: no-traceback, pattern: {regex: "^Traceback"}}
    - name: migrations
      message: WARNING - Migration {step} took too long
      steps: {start: "^Running upgrade (\\\\d+) -> (\\\\d+)", key: "{1}->{2}", limit: 30s}
`;
const LINES = [
  [0, "Running upgrade 204 -> 205, add"],
  [20, "Running upgrade 205 -> 206, drop"],
  [81, "done"],
] as const;

const stamp = (second: number, digits: string, zone: string) =>
  `2026-01-01T${zone === "Z" ? "00" : "01"}:0${Math.floor(second / 60)}:${String(second % 60).padStart(2, "0")}${digits}${zone}`;

function write(name: string, text: string): string {
  const path = join(DIRECTORY, name);
  writeFileSync(path, text);
  return path;
}

async function check(task: string, log: string, more: { artifacts?: string; stdin?: string; json?: boolean } = {}) {
  const [printed, errors]: [string[], string[]] = [[], []];
  const world = {
    stdin: (async function* () {
      // In pieces that cut timestamps and lines.
      for (const piece of (more.stdin ?? "").match(/[\s\S]{1,7}/g) ?? []) yield Buffer.from(piece);
    })(),
    print: (line: string) => printed.push(line),
    printError: (line: string) => errors.push(line),
  };
  const flags = { log, json: more.json ?? false, ...(more.artifacts === undefined ? {} : { artifacts: more.artifacts }) };
  const code = await performCheck(write("task.yaml", task), flags, world);
  return { code, printed, errors };
}

describe("turbo-hipster check", () => {
  test("lines have the colour of what they say, findings that are none have none", async () => {
    const painted: string[] = [];
    const text = LINES.map(([second, line]) => `${stamp(second, "", "Z")} ${line}\n`).join("");
    const world = {
      stdin: (async function* () {})(),
      print: () => {},
      printError: () => {},
      paint: (tone: string, line: string) => {
        painted.push(`${tone} ${line.trim().split(" ")[0]}`);
        return line;
      },
    };
    await performCheck(write("task.yaml", TASK), { log: write("coloured.log", text), json: false }, world);
    assert.deepEqual(painted, ["good ok", "bad FAILED", "bad !", "bad Result:"]);
  });

  for (const [what, digits, zone] of [
    ["kubectl's timestamps", ".123456789", "Z"],
    ["timestamps of another zone, without a fraction", "", "+01:00"],
  ] as const) {
    test(`finds by ${what} what took too long, and says it as reviewers would read it`, async () => {
      const text = LINES.map(([second, line]) => `${stamp(second, digits, zone)} ${line}\n`).join("");
      for (const found of [await check(TASK, write("timed.log", text)), await check(TASK, "-", { stdin: text })]) {
        assert.deepEqual(found, {
          code: 1,
          errors: [],
          printed: [
            "ok no-traceback: found 0 lines, allowed is none",
            "FAILED migrations: step 205->206 took 61s (limit 30s)",
            "    1: 204->205 took 20s, limit 30s",
            "  ! 2: 205->206 took 61s, limit 30s",
            "Result: WARNING - Migration 205->206 took too long",
          ],
        });
      }
    });
  }

  test("says of a log without timestamps that steps can't be timed, and how to have them", async () => {
    const { code, printed, errors } = await check(TASK, write("plain.log", LINES.map(([, line]) => `${line}\n`).join("")));
    assert.equal(code, 2);
    assert.ok(printed.includes("UNKNOWN migrations: the log has no times of its lines"), printed.join("\n"));
    assert.match(errors.join(), /has no timestamps.*kubectl logs --timestamps/);
  });

  test("passes a log without timestamps where none are needed", async () => {
    const task = TASK.replace(", limit: 30s", "");
    const { code, printed } = await check(task, write("plain.log", LINES.map(([, line]) => `${line}\n`).join("")));
    assert.deepEqual([code, printed.at(-1)], [0, "Result: SUCCESS"]);
  });

  test("reads values from artifacts, and never from outside their directory", async () => {
    const artifacts = join(DIRECTORY, "artifacts");
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(join(artifacts, "perf.json"), '{"ms": 12}');
    const of = (name: string) =>
      TASK.replace(/ {2}checks:[\s\S]*/, `  checks: [{name: fast, values: {artifact: ${name}, path: ms, max: 10}}]\n`);
    const log = write("empty.log", "");
    assert.deepEqual(await check(of("perf.json"), log, { artifacts }), {
      code: 1,
      errors: [],
      printed: [
        "FAILED fast: ms of perf.json is 12 (limit at most 10)",
        "  ! ms of perf.json is 12 (limit at most 10)",
        "Result: FAILURE - fast - ms of perf.json is 12 (limit at most 10)",
      ],
    });
    write("outside.json", '{"ms": 1}');
    assert.equal((await check(of("../outside.json"), log, { artifacts })).printed[0], "FAILED fast: the test left no ../outside.json");
    assert.equal((await check(of("perf.json"), log)).code, 2);
  });

  test("counts the junit files among artifacts, and takes what the operator has counted where that is there", async () => {
    const artifacts = join(DIRECTORY, "stored", "artifacts");
    mkdirSync(join(artifacts, "results", "more"), { recursive: true });
    const suite = (cases: string) => `<testsuite>${cases}</testsuite>`;
    writeFileSync(join(artifacts, "results", "a.xml"), suite('<testcase name="a"/><testcase name="b"><failure/></testcase>'));
    writeFileSync(join(artifacts, "results", "more", "b.xml"), suite('<testcase name="c"><failure/></testcase>'));
    writeFileSync(join(artifacts, "other.xml"), suite('<testcase name="d"><failure/></testcase>'));
    symlinkSync(join(artifacts, "other.xml"), join(artifacts, "results", "link.xml"));
    const checks =
      "  artifacts: {paths: [results], junit: [results/**/*.xml]}\n  checks: [{name: good, values: {junit: failures, max: 1}}]\n";
    const task = TASK.replace(/ {2}checks:[\s\S]*/, checks);
    const log = write("empty.log", "");
    const found = await check(task, log, { artifacts });
    assert.deepEqual([found.code, found.printed[0]], [1, "FAILED good: failures is 2 (limit at most 1)"]);
    const counts = { tests: 9, failures: 0, errors: 0, skipped: 0, seconds: 1, failed: [], unread: [] };
    const record = { files: [], bytes: 0, leftOut: [], leftOutCount: 0, junit: counts };
    for (const [text, said] of [
      [JSON.stringify(record), "ok good: failures is 0 (limit at most 1)"],
      ["no JSON", "FAILED good: failures is 2 (limit at most 1)"],
      [JSON.stringify({ ...record, junit: undefined }), "FAILED good: failures is 2 (limit at most 1)"],
    ] as const) {
      writeFileSync(join(artifacts, "..", "artifacts.json"), text);
      assert.equal((await check(task, log, { artifacts })).printed[0], said);
    }
    assert.deepEqual(
      (await check(task, log)).printed[0],
      "UNKNOWN good: junit files can not be read - say with --artifacts where the artifacts lie",
    );
    const empty = join(DIRECTORY, "empty");
    mkdirSync(empty);
    assert.equal((await check(task, log, { artifacts: empty })).printed[0], "FAILED good: there are no junit files");
    assert.equal((await check(task, log, { artifacts: join(DIRECTORY, "nowhere") })).code, 2);
  });

  test("prints the same as JSON", async () => {
    const { printed } = await check(TASK, write("t.log", "Traceback\n"), { json: true });
    const { result, class: verdictClass, checks } = JSON.parse(printed.join(""));
    assert.deepEqual(
      [result, verdictClass, checks[0].findings],
      ["FAILURE - no-traceback - line 1 of the log (2 of 2 checks failed)", "failure", [{ line: 1, text: "Traceback", isBad: true }]],
    );
  });

  const unusable: [what: string, task: string, log: string, error: RegExp][] = [
    [
      "a pattern that is none",
      TASK.replace("^Traceback", "(Traceback"),
      "-",
      /spec\.checks\[0\]\.pattern\.regex: is no regular expression/,
    ],
    ["a task without checks", TASK.replace(/ {2}checks:[\s\S]*/, ""), "-", /TestTask migrations has no checks/],
    ["a log that is not there", TASK, "/nowhere/a.log", /no such file/],
  ];
  for (const [what, task, log, error] of unusable) {
    test(`refuses ${what}`, async () => {
      const found = await check(task, log);
      assert.equal(found.code, 2);
      assert.match(found.errors.join("\n"), error);
    });
  }
});
