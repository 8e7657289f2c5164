import assert from "node:assert/strict";
import { test } from "node:test";
import { hasUnservedJob, layoutLines, makeLayoutReport } from "../../../../src/commands/status/layout-report.ts";
import { readLayout } from "../../../../src/core/zuul/layout.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const UNKNOWN = { isKnown: false, why: "there is no cluster" } as const;
const line = (name: string, workers = 1) => ({ name, waiting: 0, running: 0, workers });

function makeLayout(jobs: string[], definitions: object[] = []) {
  const layout = readLayout({ pipelines: [{ name: "check" }], jobs: definitions, projects: [{ name: "p", check: jobs }] });
  return typeof layout === "string" ? assert.fail(layout) : layout;
}

/** Lines after the first, which counts. */
function tell(
  layout: ReturnType<typeof makeLayout>,
  lines: ReturnType<typeof line>[],
  seen: Parameters<typeof makeLayoutReport>[3] = UNKNOWN,
) {
  const report = makeLayoutReport("layout.yaml", layout, lines, seen);
  const [first, ...others] = layoutLines(report);
  return { first: first?.line, lines: others.map((each) => `${each.tone} ${each.line}`), isUnserved: hasUnservedJob(report) };
}

test("a layout whose jobs are all served has nothing to tell; noop needs nobody", () => {
  assert.deepEqual(tell(makeLayout(["unit", "noop"]), [line("build:unit"), line("build:other", 0)]), {
    first: "layout.yaml: 1 job",
    lines: [],
    isUnserved: false,
  });
});

test("a job that was never registered is not one whose worker has left", () => {
  const { lines, isUnserved } = tell(makeLayout(["unit", "docs"]), [line("build:docs", 0)]);
  assert.deepEqual(lines, [
    "bad nobody has registered build:unit: Zuul says NOT_REGISTERED",
    "bad no worker: build:docs, so that its builds wait",
  ]);
  assert.equal(isUnserved, true);
});

test("a node label serves only whom a parameter-function may send there", () => {
  const labels = [line("build:unit:small"), line("build:unit:large"), line("build:docs:small")];
  const layout = makeLayout(["unit", "docs"], [{ name: "^un.*", "parameter-function": "pick" }]);
  const { lines } = tell(layout, labels);
  assert.deepEqual(lines, [
    "doubtful nobody has registered build:unit, but for the node labels small, large, which pick may ask for: else Zuul says NOT_REGISTERED",
    "bad nobody has registered build:docs, but for the node labels small, which Zuul asks for only with a parameter-function: else Zuul says NOT_REGISTERED",
    "aside which node labels unit may ask for (build:JOB:LABEL) is for the parameter-function pick to say, and not known here",
  ]);
  assert.equal(tell(makeLayout(["unit"], [{ name: "unit", "parameter-function": "pick" }]), labels).isUnserved, false);
});

test("TestTasks and jobs of theirs that the layout does not name are told, invalid ones too, and none where nobody knows them", () => {
  const tasks = [makeTask({ jobs: ["unit", "gone"] })];
  const invalid = [
    { metadata: { name: "old", namespace: "ci" }, functions: ["build:x", "build:x:small"], isSuspended: false, problems: ["p"] },
  ];
  const registered = [line("build:unit")];
  assert.deepEqual(tell(makeLayout(["unit"]), registered, { isKnown: true, tasks, invalid }).lines, [
    "doubtful not in the layout: gone of TestTask ci/unit",
    "doubtful not in the layout: TestTask ci/old",
  ]);
  assert.equal(makeLayoutReport("f", makeLayout(["unit"]), registered, UNKNOWN).unused, null);
});

test("what of a layout could not be read is told", () => {
  assert.deepEqual(tell(makeLayout(["two words"]), []).lines, [
    'bad not read: projects[0] (p).check: "two words" is no job\'s name: it is empty or has blanks',
  ]);
});
