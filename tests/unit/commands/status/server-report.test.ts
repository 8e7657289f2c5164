import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isAmiss, makeServerReport, renderServerReport } from "../../../../src/commands/status/server-report.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

function line(name: string, waiting: number, running: number, workers: number) {
  return { name, waiting, running, workers };
}

const LINES = [line("stop:turbo-hipster-x", 0, 0, 1), line("build:unit", 2, 1, 2), line("build:gone", 1, 0, 0), line("build:old", 0, 0, 1)];
const WORKERS = [
  { clientId: "turbo-hipster/x/host/registrar", functions: ["build:unit", "build:old"] },
  { clientId: "turbo-hipster/x/host/lane/shared", functions: ["build:unit"] },
  { clientId: "turbo-hipster/x/host/manager", functions: ["stop:turbo-hipster-x"] },
];

describe("the report of a server", () => {
  test("tells what waits without a worker, what is registered only, what has no TestTask and what is not registered", () => {
    const tasks = [makeTask({ jobs: ["unit", "missing"] })];
    const report = makeServerReport("h:1", LINES, WORKERS, { isKnown: true, tasks, invalid: [] });
    assert.deepEqual(report.functions[2], {
      ...line("build:unit", 2, 1, 2),
      clients: ["turbo-hipster/x/host/registrar", "turbo-hipster/x/host/lane/shared"],
      takers: 1,
      testTask: "ci/unit",
    });
    assert.deepEqual(report.unserved, ["build:gone"]);
    assert.deepEqual(report.untaken, ["build:old"]);
    assert.deepEqual(report.withoutTestTask, ["build:old"]);
    assert.deepEqual(report.unregistered, [{ function: "build:missing", testTask: "ci/unit" }]);
    assert.equal(isAmiss(report), true);
    assert.deepEqual(renderServerReport(report, { seen: { isKnown: true, tasks, invalid: [] } }), [
      "h:1: 4 functions, 3 requests waiting, 1 running",
      "",
      "FUNCTION              WAITING  RUNNING  WORKERS  TESTTASK",
      "build:gone                  1        0        0  none",
      "build:old                   0        0        1  none",
      "build:unit                  2        1        2  ci/unit",
      "stop:turbo-hipster-x        0        0        1",
      "",
      "no worker: build:gone, and 1 request waits",
      "registered, but nobody takes it: build:old",
      "served without a TestTask: build:old",
      "not registered here: build:missing of TestTask ci/unit",
    ]);
  });

  test("says that it does not know who the workers are, or the TestTasks, instead of guessing", () => {
    const report = makeServerReport("h:1", LINES.slice(0, 2), undefined, { isKnown: false, why: "there is no cluster" });
    assert.deepEqual(
      report.functions.map(({ clients, takers, testTask }) => [clients, takers, testTask]),
      [
        [null, null, null],
        [null, null, null],
      ],
    );
    assert.deepEqual([report.untaken, report.withoutTestTask, report.unregistered], [[], null, null]);
    assert.equal(isAmiss(report), false);
    const text = renderServerReport(report);
    assert.equal(text.at(-1), "TestTasks are unknown: there is no cluster");
    assert.doesNotMatch(text.join("\n"), /none/);
  });

  test("names invalid TestTasks, whose builds are answered, and what is wrong with them", () => {
    const invalid = [
      { metadata: { name: "old", namespace: "ci" }, functions: ["build:old"], isSuspended: false, problems: ["spec.image is required"] },
    ];
    const seen = { isKnown: true, tasks: [makeTask()], invalid } as const;
    const report = makeServerReport("h:1", LINES, WORKERS, seen);
    assert.deepEqual([report.functions.find(({ name }) => name === "build:old")?.testTask, report.withoutTestTask], ["ci/old", []]);
    const text = renderServerReport(report, { seen });
    assert.ok(text.includes("build:old                   0        0        1  ci/old (invalid)"), text.join("\n"));
    assert.equal(text.at(-1), "TestTask ci/old is invalid: spec.image is required");
  });

  test("marks suspended TestTasks, and keeps control characters of names from the terminal", () => {
    const tasks = [makeTask({ suspend: true })];
    const lines = [line("build:unit", 0, 0, 1), line("build:\u001b[31mred", 0, 0, 0)];
    const seen = { isKnown: true, tasks, invalid: [] } as const;
    const text = renderServerReport(makeServerReport("h:1", lines, undefined, seen), { seen }).join("\n");
    assert.match(text, /ci\/unit \(suspended\)/);
    assert.match(text, /build:\?\[31mred/);
    assert.equal(text.includes("\u001b"), false);
  });

  test("its lines have the colour of what they say, the table has none", () => {
    const seen = { isKnown: true, tasks: [makeTask({ jobs: ["unit", "missing"] })], invalid: [] } as const;
    const lines = [...LINES, line("build:idle", 0, 0, 0)];
    const text = renderServerReport(makeServerReport("h:1", lines, WORKERS, seen), { seen, paint: (tone, each) => `${tone} ${each}` });
    assert.deepEqual(
      text.filter((each) => /^(good|bad|doubtful|aside) /.test(each)),
      [
        "bad no worker: build:gone, and 1 request waits",
        "doubtful no worker: build:idle",
        "doubtful registered, but nobody takes it: build:old",
        "aside served without a TestTask: build:old",
        "bad not registered here: build:missing of TestTask ci/unit",
      ],
    );
  });

  test("of a server without functions is one line", () => {
    assert.deepEqual(renderServerReport(makeServerReport("h:1", [], [], { isKnown: true, tasks: [], invalid: [] })), [
      "h:1: 0 functions, 0 requests waiting, 0 running",
    ]);
  });
});
