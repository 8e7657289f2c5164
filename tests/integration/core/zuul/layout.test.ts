import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { readLayoutFile } from "../../../../src/commands/layout-file.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { readZuulLayouts, type ZuulLayout } from "../../../support/zuul/zuul-layout.ts";

const FIXTURES = join(import.meta.dirname, "../../../fixtures/layouts");

const byText = (left: string, right: string) => (left < right ? -1 : 1);

/** What we read, in Zuul's words; project and pipeline orders are Zuul's affair. */
async function readOurs(path: string): Promise<{ layout: ZuulLayout; faults: string[] }> {
  const { jobs, faults } = await readLayoutFile(path);
  const uses = jobs.map(({ name, uses: of }) => [
    name,
    Object.fromEntries([...of].map(([project, in_]) => [project, [...in_].sort(byText)])),
  ]);
  const functions = jobs.flatMap(({ name, parameterFunction }) => (parameterFunction === undefined ? [] : [[name, parameterFunction]]));
  const layout = { jobs: Object.fromEntries(uses), parameterFunctions: Object.fromEntries(functions) };
  return { layout, faults: faults.map(({ place, message }) => `${place}: ${message}`) };
}

function sorted(layout: ZuulLayout): ZuulLayout {
  if (layout.refused !== undefined) return layout;
  for (const uses of Object.values(layout.jobs)) for (const pipelines of Object.values(uses)) pipelines.sort(byText);
  return layout;
}

describe("jobs of a layout", () => {
  for (const [name, wanted] of [
    ["templates.yaml", []],
    ["anchors.yaml", ["projects[2] (ops/mail).test: is no list of jobs, of which Zuul makes something else; write - before each"]],
  ] as const) {
    test(`are in ${name} those that Zuul's own scheduler reads`, async () => {
      const path = join(FIXTURES, name);
      const [theirs] = await readZuulLayouts([path]);
      assert.ok(theirs && theirs.refused === undefined, theirs?.refused);
      assert.ok(Object.keys(theirs.jobs).length > 5);
      const { layout, faults } = await readOurs(path);
      assert.deepEqual(layout, sorted(theirs));
      assert.deepEqual(faults, wanted);
    });
  }

  test("are in layouts of any kind those that Zuul reads, unless it is told that they are not", async (t) => {
    const directory = makeDirectory(t);
    const { numRuns, seed } = fuzzParameters(t, 300);
    const layouts = fc.sample(layoutArbitrary, { numRuns: numRuns ?? 1, seed: seed ?? 1 });
    const paths = layouts.map((layout, index) => {
      const path = join(directory, `${index}.yaml`);
      writeFileSync(path, stringify(layout, { version: "1.1", schema: "yaml-1.1" }));
      return path;
    });
    writeFileSync(join(directory, "functions.py"), "def one(item, params): pass\ndef two(item, params): pass\n");
    let read = 0;
    for (const [index, theirs] of (await readZuulLayouts(paths)).entries()) {
      const { layout, faults } = await readOurs(paths[index] as string);
      // What Zuul refuses may well be read here: this is not its own check (zuul-server -t).
      if (theirs.refused !== undefined) continue;
      if (faults.length === 0) {
        assert.deepEqual(layout, sorted(theirs), JSON.stringify(layouts[index]));
        read++;
      } else for (const fault of faults) assert.match(fault, /is no list of jobs, of which Zuul makes something else/);
    }
    t.diagnostic(`${read} of ${paths.length} are layouts to Zuul, and to us`);
    assert.ok(read > paths.length / 4);
  });
});

function makeDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "th-layout-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

const PIPELINES = ["check", "gate"];
const usually = <T>(value: fc.Arbitrary<T>, other: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 60, arbitrary: value }, { weight: 1, arbitrary: other });
const plainName = fc.constantFrom("a", "b", "unit", "noop", "x-py27", "y-py34", "^z.*$", "q{name}");
const templateName = fc.constantFrom("{name}-unit", "all", "{name}-{v}", "{{x}}-{name}", "noop");

function jobsArbitrary(name: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  const wrong = fc.constantFrom<unknown>("two words", 7, true, "");
  return fc.letrec<{ list: unknown[]; job: unknown }>((tie) => ({
    list: fc.array(tie("job"), { maxLength: 3, depthIdentifier: "tree" }),
    job: fc.oneof(
      { depthSize: "small", depthIdentifier: "tree" },
      usually(name, wrong),
      fc.tuple(name, tie("list")).map(([parent, children]) => ({ [parent]: children })),
      fc.array(usually(tie("list") as fc.Arbitrary<unknown>, name), { maxLength: 2, depthIdentifier: "tree" }),
    ),
  })).list;
}

const pipelineJobs = (jobs: fc.Arbitrary<unknown>) =>
  fc.record(Object.fromEntries(PIPELINES.map((name) => [name, jobs])), { requiredKeys: [] });

/** `v` is filled in where the template has it in a text, as Zuul wants it; where it is a mapping's key, Zuul's own check refuses it. */
const callArbitrary = (needs: ReadonlyMap<string, boolean>) =>
  usually(fc.constantFrom(...needs.keys()), fc.constant("missing")).map((name) => ({
    name,
    ...(needs.get(name as string) ? { v: "7" } : {}),
  }));

const layoutArbitrary = fc.uniqueArray(pipelineJobs(jobsArbitrary(templateName)), { minLength: 1, maxLength: 3 }).chain((bodies) => {
  const templates = bodies.map((body, index) => ({ name: `t${index}`, ...body }));
  const needs = new Map(templates.map((template) => [template.name, hasValue(template)]));
  return fc.record({
    includes: fc.constant([{ "python-file": "functions.py" }]),
    pipelines: fc.constant(
      PIPELINES.map((name) => ({ name, manager: "IndependentPipelineManager", trigger: { gerrit: [{ event: "patchset-created" }] } })),
    ),
    jobs: fc.uniqueArray(
      fc.record(
        {
          name: fc.constantFrom("a", "unit", "^.*-py..$", "^[a-z]$", "^u|x", "x-py27"),
          "parameter-function": fc.constantFrom("one", "two"),
        },
        { requiredKeys: ["name"] },
      ),
      { selector: ({ name }) => name, maxLength: 5 },
    ),
    "project-templates": fc.constant(templates),
    projects: fc.uniqueArray(
      fc
        .record({
          name: fc.constantFrom("p", "org/p", "org/q", "deep/er/r"),
          template: fc.array(callArbitrary(needs), { maxLength: 3 }),
          jobs: pipelineJobs(jobsArbitrary(plainName)),
        })
        .map(({ name, template, jobs }) => ({ name, template, ...jobs })),
      { selector: ({ name }) => name, minLength: 1, maxLength: 3 },
    ),
  });
});

function hasValue(tree: unknown): boolean {
  if (typeof tree === "string") return tree.includes("{v}");
  return typeof tree === "object" && tree !== null && Object.values(tree).some(hasValue);
}
