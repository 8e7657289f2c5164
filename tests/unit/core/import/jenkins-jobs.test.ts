import assert from "node:assert/strict";
import { test } from "node:test";
import { readJenkinsJobs } from "../../../../src/core/import/jenkins-jobs.ts";
import { convertJenkinsJob } from "../../../../src/core/import/jenkins-script.ts";

const template = (name: string, more: object = {}) => ({ "job-template": { name, builders: [{ shell: "run {name}" }], ...more } });

const EXPANSIONS: [string, unknown[], string[]][] = [
  ["a job is named as it is", [{ job: { name: "a-{b}" } }], ["a-{b}"]],
  ["a template that no project names is none", [template("{name}-unit")], []],
  ["a template is filled in", [template("{name}-unit"), { project: { name: "p", jobs: ["{name}-unit"] } }], ["p-unit"]],
  [
    "a list in its name makes one of each, a list elsewhere does not",
    [template("{name}-{v}"), { project: { name: "p", v: [2, "x"], other: [1, 2], jobs: ["{name}-{v}"] } }],
    ["p-2", "p-x"],
  ],
  [
    "two lists make every pair",
    [template("{a}{b}"), { project: { name: "p", a: [1, 2], b: ["x", "y"], jobs: ["{a}{b}"] } }],
    ["1x", "1y", "2x", "2y"],
  ],
  [
    "the nearest value counts: the entry's, the project's, the template's own",
    [template("{x}{y}{z}", { x: "t", y: "t", z: "t" }), { project: { name: "p", x: "p", y: "p", jobs: [{ "{x}{y}{z}": { x: "e" } }] } }],
    ["ept"],
  ],
  [
    "groups name templates, and groups",
    [
      template("{name}-a"),
      { "job-group": { name: "inner", jobs: ["{name}-a"] } },
      { "job-group": { name: "outer", jobs: ["inner"] } },
      { project: { name: "p", jobs: ["outer"] } },
    ],
    ["p-a"],
  ],
  [
    "a group's values count before the template's, and after the project's",
    [
      template("{x}{y}{z}", { y: "t", z: "t" }),
      { "job-group": { name: "g", x: "g", y: "g", jobs: ["{x}{y}{z}"] } },
      { project: { name: "p", x: "p", jobs: ["g"] } },
    ],
    ["pgt"],
  ],
  ["braces that stay braces choose nothing", [template("{{v}}"), { project: { name: "p", v: [1, 2], jobs: ["{{v}}"] } }], ["{v}"]],
  [
    "a group that names itself ends",
    [template("{name}-a"), { "job-group": { name: "g", jobs: ["g", "{name}-a"] } }, { project: { name: "p", jobs: ["g"] } }],
    ["p-a"],
  ],
];

for (const [name, document, jobs] of EXPANSIONS) {
  test(`of Jenkins Job Builder's files ${name}`, () => {
    assert.deepEqual([...readJenkinsJobs([{ file: "f", document }]).jobs.keys()], jobs);
  });
}

test("lists that multiply beyond measure are told and left", () => {
  const values = Array.from({ length: 100 }, (_, index) => index);
  const document = [template("{a}-{b}-{c}"), { project: { name: "p", a: values, b: values, c: values, jobs: ["{a}-{b}-{c}"] } }];
  const { jobs, notes } = readJenkinsJobs([{ file: "f", document }]);
  assert.ok(jobs.size <= 50_000);
  assert.match(notes[0]?.message ?? "", /is as far as was read: projects name jobs more than 50000 times/);
});

test("tens of thousands of jobs share the values of their project", () => {
  const values = Array.from({ length: 220 }, (_, index) => index);
  const more = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`key${index}`, "value"]));
  const document = [template("{a}-{b}"), { project: { name: "p", a: values, b: values, ...more, jobs: ["{a}-{b}"] } }];
  const before = process.memoryUsage().heapUsed;
  const { jobs } = readJenkinsJobs([{ file: "f", document }]);
  const grown = process.memoryUsage().heapUsed - before;
  assert.equal(jobs.size, 48_400);
  assert.equal(jobs.get("7-219")?.values?.get("key899"), "value");
  assert.ok(grown < 300 * 1024 ** 2, `the heap has grown by ${grown} bytes`);
});

test("what is defined twice, and a name without its value, are told", () => {
  const document = [{ job: { name: "a" } }, { job: { name: "a" } }, template("{x}"), { project: { name: "p", jobs: ["{x}"] } }];
  const { notes } = readJenkinsJobs([{ file: "f", document }]);
  assert.deepEqual(
    notes.map(({ place, message }) => `${place} ${message}`),
    ["f[1] (job a) is at f[0] (job a) too, which is taken", "f[2] (job-template {x}) its name needs a value for {x}"],
  );
});

const ENDLESS: unknown[] = [];
ENDLESS.push(ENDLESS);

const NOTES: [string, Record<string, unknown>, RegExp | undefined][] = [
  ["publishers", { publishers: ["junit", { archive: {} }] }, /^publishers \(junit, archive\): logs are stored/],
  ["triggers", { triggers: [{ timed: "@daily" }] }, /^triggers \(timed\): Zuul alone/],
  ["a node", { node: "trusty || precise" }, /^node \(trusty \|\| precise\): the pod/],
  ["a matrix", { "project-type": "matrix" }, /^project-type matrix: only what freestyle/],
  ["what is switched off", { disabled: true }, /^disabled: /],
  ["a builder of another kind", { builders: [{ maven: {} }] }, /^the builder maven is no shell builder/],
  ["a macro whose name has a line's end", { builders: ["a\nrm -rf /"] }, /^the builder a rm -rf \/ is no shell builder/],
  ["a limit, which is taken, and nothing else", { wrappers: [{ timeout: { timeout: 5 } }] }, undefined],
  ["a limit beyond a week", { wrappers: [{ timeout: { timeout: 99999 } }] }, /^wrappers \(timeout\)/],
  ["a limit of the usual type", { wrappers: [{ timeout: { type: "absolute", timeout: 5 } }] }, undefined],
  ["a limit of another type", { wrappers: [{ timeout: { type: "no-activity", timeout: 10 } }] }, /^wrappers \(timeout\)/],
  ["a shell with a list in itself", { builders: [{ shell: { command: ENDLESS } }] }, /^the builder shell has no text, but a mapping$/],
  ["a shell's text in a file", { builders: [{ shell: { "!include-raw:": "a.sh" } }] }, /has no text, but \{"!include-raw:":"a\.sh"\}$/],
  ["what only describes it", { name: "a", description: "x", builders: [{ shell: { command: "true" } }] }, undefined],
];

for (const [name, body, expected] of NOTES) {
  test(`of a Jenkins job is told: ${name}`, () => {
    const { notes } = convertJenkinsJob({ place: "f", body, values: undefined });
    assert.equal(notes.length, expected === undefined ? 0 : 1);
    if (expected) assert.match(notes[0] ?? "", expected);
  });
}

const TIMEOUTS: [string, object, number | undefined][] = [
  ["a number", { timeout: 5 }, 5],
  ["a text", { timeout: "5" }, 5],
  ["filled in", { timeout: "{t}", type: "{kind}" }, 90],
  ["without its value", { timeout: "{u}" }, undefined],
  ["of silence", { timeout: 5, type: "no-activity" }, undefined],
  ["no number", { timeout: true }, undefined],
];

for (const [name, timeout, expected] of TIMEOUTS) {
  test(`the limit of a Jenkins job: ${name}`, () => {
    const values = new Map(Object.entries({ t: "90", kind: "absolute" }));
    const { timeoutMinutes } = convertJenkinsJob({ place: "f", body: { wrappers: [{ timeout }] }, values });
    assert.equal(timeoutMinutes, expected);
  });
}
