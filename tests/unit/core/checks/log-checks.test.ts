import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KeptAmounts } from "../../../../src/core/checks/baseline.ts";
import type { CheckResult } from "../../../../src/core/checks/check-result.ts";
import { LineTimes } from "../../../../src/core/checks/line-times.ts";
import { LogChecks } from "../../../../src/core/checks/log-checks.ts";
import type { ReadValues } from "../../../../src/core/checks/values-check.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const NO_VALUES: ReadValues = { artifacts: new Map(), junit: undefined };
const START_MS = Date.parse("2026-01-01T00:00:00Z");

/** Each line begins with its second; `isTimed` false: nobody knows that. */
function checkLines(
  check: object,
  lines: readonly string[],
  { isTimed = true, values = NO_VALUES, others = [] as object[], kept = undefined as KeptAmounts | undefined } = {},
) {
  const checks = makeTask({ checks: [...others, { name: "it", ...check }] }).spec.checks ?? [];
  const times = new LineTimes();
  if (isTimed) for (const [index, line] of lines.entries()) times.note(index + 1, START_MS + Number.parseFloat(line) * 1000);
  const run = new LogChecks(checks, { times, kept: kept && new Map([["it", kept]]) });
  run.write(Buffer.from(lines.map((line) => `${line.replace(/^\S+ /, "")}\n`).join("")));
  const checked = run.end(values).at(-1);
  assert.ok(checked);
  return { ...checked, bad: checked.result.findings.filter(({ isBad }) => isBad).map(({ line, text }) => `${line ?? "-"}: ${text}`) };
}

interface Row {
  what: string;
  check: object;
  lines: readonly string[];
  outcome: CheckResult["outcome"];
  says?: string;
  bad?: string[];
}

function table(rows: readonly Row[]): void {
  for (const { what, check, lines, outcome, says, bad = [] } of rows) {
    test(what, () => {
      const found = checkLines(check, lines);
      assert.deepEqual([found.result.outcome, found.says, found.bad], [outcome, says, bad]);
    });
  }
}

describe("a pattern", () => {
  const absent = { pattern: { regex: "^Traceback" } };
  const present = (more: object = {}) => ({ pattern: { regex: "^row", expect: "present", ...more } });
  const rows = ["0 row 1", "0 row 2", "0 x"];
  table([
    { what: "that must not be there is not", check: absent, lines: ["0 a", "0  Traceback"], outcome: "passed" },
    {
      what: "that must not be there is, in the first of its lines",
      check: absent,
      lines: ["0 a", "0 Traceback (most", "0 Traceback"],
      outcome: "failed",
      says: "FAILURE - it - line 2 of the log",
      bad: ["2: Traceback (most", "3: Traceback"],
    },
    { what: "that must be there is", check: present(), lines: rows, outcome: "passed" },
    {
      what: "that must be there is not",
      check: { message: "WARNING - {found}, wanted {limit}", ...present() },
      lines: ["0 x"],
      outcome: "failed",
      says: "WARNING - 0 lines, wanted at least 1",
    },
    { what: "is there often enough", check: present({ atLeast: 2 }), lines: rows, outcome: "passed" },
    {
      what: "is not there often enough",
      check: present({ atLeast: 3 }),
      lines: rows,
      outcome: "failed",
      says: "FAILURE - it - 2 lines, not at least 3",
    },
    {
      what: "is there too often",
      check: present({ atMost: 1 }),
      lines: rows,
      outcome: "failed",
      says: "FAILURE - it - line 2 of the log",
      bad: ["2: row 2"],
    },
    { what: "need not be there", check: present({ atLeast: 0, atMost: 2 }), lines: ["0 x"], outcome: "passed" },
  ]);
});

describe("steps", () => {
  const key = { start: "^Running upgrade (\\d+) -> (\\d+)", key: "{1}->{2}" };
  const begun = (second: number, from: number) => `${second} Running upgrade ${from} -> ${from + 1}`;
  const open = { message: "WARNING - Migration {step} took too long", steps: { ...key, limit: "30s" } };
  const closed = (more: object = {}) => ({ steps: { start: "^begin (?<step>\\w+)", end: "^end", limit: "10s", ...more } });
  const limited = (step: string, limit: string) => ({ overrides: [{ step, limit, reason: "bug 7" }] });
  table([
    {
      what: "without an end end where the next begins, and the last with the log",
      check: open,
      lines: [begun(0, 204), begun(20, 205), "50 x"],
      outcome: "passed",
    },
    {
      what: "that took too long fail with their name",
      check: open,
      lines: [begun(0, 204), begun(20, 205), begun(81, 206), "82 x"],
      outcome: "failed",
      says: "WARNING - Migration 205->206 took too long",
      bad: ["2: 205->206 took 61s, limit 30s"],
    },
    {
      what: "of which the last is open to the end of the log",
      check: open,
      lines: [begun(0, 204), "31 x"],
      outcome: "failed",
      says: "WARNING - Migration 204->205 took too long",
      bad: ["1: 204->205 took 31s, limit 30s"],
    },
    {
      what: "may have a limit of their own",
      check: { steps: { ...open.steps, ...limited("204->205", "1m") } },
      lines: [begun(0, 204), "31 x"],
      outcome: "passed",
    },
    {
      what: "overrun a limit of their own, with its reason",
      check: { steps: { ...open.steps, ...limited("204->205", "5s") } },
      lines: [begun(0, 204), "31 x"],
      outcome: "failed",
      says: "FAILURE - it - step 204->205 took 31s (limit 5s)",
      bad: ["1: 204->205 took 31s, limit 5s (bug 7)"],
    },
    {
      what: "end at their end, whatever comes after",
      check: closed(),
      lines: ["0 begin a", "9.9 end", "60 begin b", "60.1 end"],
      outcome: "passed",
    },
    {
      what: "are over their limit by little",
      check: closed(),
      lines: ["0 begin a", "10.02 end"],
      outcome: "failed",
      says: "FAILURE - it - step a took 10.1s (limit 10s)",
      bad: ["1: a took 10.1s, limit 10s"],
    },
    {
      what: "that began must end",
      check: closed(),
      lines: ["0 begin a", "1 begin b", "2 end"],
      outcome: "failed",
      says: "FAILURE - it - step a began in line 1 and never ended",
      bad: ["1: a began and never ended"],
    },
    {
      what: "lie in each other, where the end names none",
      check: closed(),
      lines: ["0 begin a", "1 begin b", "2 end", "9 end"],
      outcome: "passed",
    },
    {
      what: "run side by side, where the end names them",
      check: closed({ end: "^end (?<step>\\w+)" }),
      lines: ["0 begin a", "1 begin b", "9 end a", "11.5 end b"],
      outcome: "failed",
      says: "FAILURE - it - step b took 10.5s (limit 10s)",
      bad: ["2: b took 10.5s, limit 10s"],
    },
    {
      what: "end and begin in one line",
      check: { steps: { start: "begin (\\w+)", end: "end", limit: "10s" } },
      lines: ["0 begin a", "9 end, begin b", "18 end"],
      outcome: "passed",
    },
    {
      what: "have numbers where nothing names them",
      check: { steps: { start: "^go", limit: "1s" } },
      lines: ["0 go", "1 go", "9 x"],
      outcome: "failed",
      says: "FAILURE - it - step 2 took 8s (limit 1s)",
      bad: ["2: 2 took 8s, limit 1s"],
    },
    {
      what: "must be there",
      check: closed(),
      lines: ["0 x"],
      outcome: "failed",
      says: "FAILURE - it - 0 steps in the log, not at least 1",
    },
    { what: "need not be there", check: closed({ atLeast: 0 }), lines: ["0 x"], outcome: "passed" },
    {
      what: "have the last one that they should",
      check: closed({ last: "b" }),
      lines: ["0 begin a", "1 end", "1 begin b", "2 end"],
      outcome: "passed",
    },
    {
      what: "have another last one",
      check: closed({ last: "c" }),
      lines: ["0 begin a", "1 end"],
      outcome: "failed",
      says: "FAILURE - it - the last step is a, not c",
      bad: ["-: the last step is a, expected is c"],
    },
    {
      what: "without a limit are only counted",
      check: { steps: { start: "^begin (\\w+)" } },
      lines: ["0 begin a", "9000 x"],
      outcome: "passed",
    },
    {
      what: "whose name catches nothing are the check's fault",
      check: { steps: { start: "^begin( \\w+)?" } },
      lines: ["0 begin"],
      outcome: "fault",
      bad: ["1: begin"],
    },
  ]);

  test("of lines without times are not judged, and are where they must not be too long", () => {
    const lines = ["0 begin a", "1 end"];
    assert.equal(checkLines(closed(), lines, { isTimed: false }).result.outcome, "unknown");
    assert.equal(checkLines({ steps: { start: "^begin (\\w+)", end: "^end" } }, lines, { isTimed: false }).result.outcome, "passed");
    assert.equal(checkLines(closed(), ["0 begin a"], { isTimed: false }).result.outcome, "failed", "it never ended all the same");
  });

  test("are kept with their times, those that took longest", () => {
    const lines = Array.from({ length: 301 }, (_, index) => `${index + (index > 150 ? 7 : 0)} begin s${index}`);
    const { result } = checkLines({ steps: { start: "^begin (\\w+)", limit: "1h" } }, lines);
    assert.equal(result.steps?.length, 200);
    assert.deepEqual(
      result.steps?.find(({ seconds }) => seconds > 2),
      { name: "s150", line: 151, seconds: 8, limitSeconds: 3600 },
    );
    assert.equal(result.more, 281);
  });
});

describe("counters", () => {
  const counters = (more: object) => ({ counters: { regex: "rows_read (\\d+)", limit: 100, ...more } });
  const lines = ["0 rows_read 1000", "0 begin a", "0 rows_read 1050", "0 rows_read 1090", "0 begin b", "0 rows_read 1300"];
  table([
    { what: "grow by little from one to the next", check: counters({}), lines: lines.slice(0, 4), outcome: "passed" },
    {
      what: "grow by too much",
      check: counters({}),
      lines,
      outcome: "failed",
      says: "FAILURE - it - grew by 210 (limit 100)",
      bad: ["6: grew by 210, limit 100"],
    },
    { what: "may fall", check: counters({}), lines: ["0 rows_read 9", "0 rows_read 1"], outcome: "passed" },
    {
      what: "are too large themselves",
      check: counters({ measure: "value", limit: 1299 }),
      lines,
      outcome: "failed",
      says: "FAILURE - it - is 1300 (limit 1299)",
      bad: ["6: is 1300, limit 1299"],
    },
    {
      what: "must be there",
      check: counters({}),
      lines: ["0 x"],
      outcome: "failed",
      says: "FAILURE - it - 0 numbers in the log, not at least 1",
    },
    {
      what: "that catch no number are the check's fault",
      check: { counters: { regex: "rows (\\w+)", limit: 1 } },
      lines: ["0 rows many"],
      outcome: "fault",
      bad: ["1: rows many"],
    },
    {
      what: "name their steps themselves, and grow in them from the line before",
      check: {
        message: "{step} read {found} rows, not {limit}",
        counters: { regex: "(?<step>\\w) (?<value>\\d+)", measure: "step", limit: 5 },
      },
      lines: ["0 a 1", "0 a 5", "0 b 8", "0 b 11", "0 c 11"],
      outcome: "failed",
      says: "b read 6 rows, not 5",
      bad: ["4: grew by 6 in b, limit 5"],
    },
  ]);

  test("lie in the steps of another check, each with a limit of its own", () => {
    const others = [{ name: "steps", steps: { start: "^begin (\\w+)" } }];
    const measured = (overrides: object[]) => counters({ measure: "step", steps: "steps", overrides });
    const found = checkLines(measured([]), lines, { others });
    assert.deepEqual(found.bad, ["6: grew by 210 in b, limit 100"]);
    assert.equal(checkLines(measured([{ step: "b", limit: 210 }]), lines, { others }).result.outcome, "passed");
  });
});

describe("a value", () => {
  const read = (text: string | undefined): ReadValues => ({
    artifacts: new Map(text === undefined ? [] : [["perf.json", { kind: "text", text }]]),
    junit: { tests: 5, failures: 0, errors: 0, skipped: 3, seconds: 1, failed: [], unread: [] },
  });
  const value = (more: object) => ({ values: { artifact: "perf.json", path: "runs.1.ms", max: 20, ...more } });
  const rows: [what: string, check: object, text: string | undefined, outcome: CheckResult["outcome"], says?: string][] = [
    ["is small enough", value({}), '{"runs": [{}, {"ms": 20}]}', "passed"],
    [
      "is too large",
      value({}),
      '{"runs": [{}, {"ms": 20.5}]}',
      "failed",
      "FAILURE - it - runs.1.ms of perf.json is 20.5 (limit at most 20)",
    ],
    [
      "is too small",
      value({ min: 10 }),
      '{"runs": [{}, {"ms": 9}]}',
      "failed",
      "FAILURE - it - runs.1.ms of perf.json is 9 (limit at least 10, at most 20)",
    ],
    ["is no number", value({}), '{"runs": [{}, {"ms": "9"}]}', "failed", "FAILURE - it - perf.json has no number at runs.1.ms"],
    ["is not there", value({}), "[]", "failed", "FAILURE - it - perf.json has no number at runs.1.ms"],
    ["is too large for one", value({}), '{"runs": [{}, {"ms": 1e999}]}', "failed", "FAILURE - it - perf.json has no number at runs.1.ms"],
    ["is in no JSON", value({}), "{", "failed", "FAILURE - it - perf.json is no JSON"],
    ["is in no file", value({}), undefined, "failed", "FAILURE - it - the test left no perf.json"],
    ["is a count of junit", { values: { junit: "skipped", max: 2 } }, undefined, "failed", "FAILURE - it - skipped is 3 (limit at most 2)"],
    [
      "is inherited by no object",
      value({ path: "constructor.length" }),
      "{}",
      "failed",
      "FAILURE - it - perf.json has no number at constructor.length",
    ],
  ];
  for (const [what, check, text, outcome, says] of rows) {
    test(what, () => {
      const found = checkLines(check, [], { values: read(text) });
      assert.deepEqual([found.result.outcome, found.says], [outcome, says]);
    });
  }

  test("of artifacts that were not stored is not known", () => {
    const values: ReadValues = { artifacts: new Map([["perf.json", { kind: "unread", why: "they came too late" }]]), junit: undefined };
    assert.equal(checkLines(value({}), [], { values }).result.outcome, "unknown");
  });
});

describe("what is usual in kept builds", () => {
  const kept = (count: number, ...amounts: [string, number][]): KeptAmounts => ({
    branch: "master",
    builds: Array.from({ length: count }, () => new Map(amounts)),
  });
  const steps = (more: object = {}) => ({
    message: "WARNING - Migration {step} took {found}, usually {usual}",
    steps: { start: "^begin (\\w+)", baseline: {}, ...more },
  });
  const slow = ["0 begin a", "61 begin b", "62 x"];

  test("limits steps, each by its own, and both numbers are told", () => {
    const found = checkLines(steps(), slow, { kept: kept(8, ["a", 14]) });
    assert.deepEqual(
      [found.result.outcome, found.says, found.bad],
      ["failed", "WARNING - Migration a took 61s, usually 14s", ["1: a took 61s, usually 14s in 8 builds of master, allowed 18.2s"]],
    );
    assert.equal(found.result.message, "step a took 61s (usually 14s, limit 18.2s)");
    assert.deepEqual(found.result.steps?.[0], { name: "a", line: 1, seconds: 61, usualSeconds: 14 });
    assert.equal(found.result.findings[1]?.text, "b took 1s, 0 builds of master kept that have it, 8 needed");
    assert.equal(checkLines(steps(), ["0 begin a", "18 x"], { kept: kept(8, ["a", 14]) }).result.outcome, "passed");
  });

  test("is unknown of few builds, and where there is nothing to compare with: then nothing fails", () => {
    for (const [few, words] of [
      [kept(7, ["a", 14]), "7 builds of master kept that have it, 8 needed"],
      [undefined, "no kept builds at hand to compare with"],
    ] as const) {
      const { result } = checkLines(steps(), slow, { kept: few });
      assert.deepEqual([result.outcome, result.findings[0]?.text], ["passed", `a took 61s, ${words}`]);
    }
  });

  test("stands beside a limit of all, behind one of a step's own, and needs the times of lines", () => {
    const amounts = kept(8, ["a", 14]);
    assert.equal(
      checkLines(steps({ limit: "30s" }), slow, { kept: amounts }).bad[0],
      "1: a took 61s, limit 30s, usually 14s in 8 builds of master, allowed 18.2s",
    );
    const own = { overrides: [{ step: "a", limit: "2m" }] };
    assert.equal(checkLines(steps(own), slow, { kept: amounts }).result.outcome, "passed");
    assert.equal(checkLines(steps(), slow, { kept: amounts, isTimed: false }).result.outcome, "unknown");
  });

  test("limits counters, in steps and without", () => {
    const counters = (more: object) => ({ message: "{found} {usual} {limit}", counters: { regex: "read (\\d+)", baseline: {}, ...more } });
    const found = checkLines(counters({ measure: "value" }), ["0 read 150", "0 read 100"], { kept: kept(8, ["", 100]) });
    assert.deepEqual([found.says, found.bad], ["150 100 130", ["1: is 150, usually 100 in 8 builds of master, allowed 130"]]);
    assert.deepEqual(found.result.amounts, [{ most: 150, usual: 100 }]);
    const named = { regex: "(?<step>\\w) (?<value>\\d+)", measure: "step" };
    const amounts = kept(8, ["b", 1000]);
    const both = (more: object = {}) => checkLines(counters({ ...named, ...more }), ["0 a 0", "0 b 2000"], { kept: amounts });
    assert.deepEqual(both().bad, ["2: grew by 2000 in b, usually 1000 in 8 builds of master, allowed 1300"]);
    assert.equal(both({ overrides: [{ step: "b", limit: 2000 }] }).result.outcome, "passed");
    assert.equal(both({ limit: 1999 }).says, "2000 1000 1999");
    assert.deepEqual(both().result.amounts, [
      { step: "a", most: 0 },
      { step: "b", most: 2000, usual: 1000 },
    ]);
  });

  test("limits values upwards", () => {
    const check = { values: { artifact: "perf.json", path: "ms", baseline: {} } };
    const of = (ms: number) => ({
      values: { artifacts: new Map([["perf.json", { kind: "text" as const, text: `{"ms": ${ms}}` }]]), junit: undefined },
    });
    const found = checkLines(check, [], { ...of(20), kept: kept(8, ["", 10]) });
    assert.equal(found.says, "FAILURE - it - ms of perf.json is 20 (usually 10 in 8 builds of master, allowed 13)");
    assert.deepEqual(found.result.amounts, [{ most: 20, usual: 10 }]);
    assert.equal(checkLines(check, [], { ...of(1), kept: kept(8, ["", 10]) }).result.outcome, "passed");
  });
});
