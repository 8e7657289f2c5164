import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { findCheckFaults } from "../../../../src/core/checks/check-faults.ts";
import { readChecks } from "../../../../src/core/checks/job-checks.ts";
import { LineTimes } from "../../../../src/core/checks/line-times.ts";
import { LogChecks } from "../../../../src/core/checks/log-checks.ts";
import { renderDatasetRecord } from "../../../../src/core/job/dataset-record.ts";
import type { ManifestInput } from "../../../../src/core/job/manifest.ts";
import { type MemberRecord, readTestTask } from "../../../../src/core/job/member.ts";
import { readJobRecord } from "../../../../src/core/job/record.ts";
import { tryRenderJob } from "../../../../src/core/job/rendering.ts";
import { renderReviewedObjects } from "../../../../src/core/job/template-review.ts";
import { DATASET_CONTAINER, TEST_CONTAINER } from "../../../../src/core/kubernetes/container-roles.ts";
import type { Container, Job } from "../../../../src/core/kubernetes/objects.ts";
import { datasetQuery, matchingDatasets } from "../../../../src/core/test-task/datasets.ts";
import { checksSchema } from "../../../../src/core/test-task/schema/check.ts";
import { datasetsSchema, type TestTaskDataset } from "../../../../src/core/test-task/schema/dataset.ts";
import { DATASET_VOLUME } from "../../../../src/core/test-task/schema/reserved-names.ts";
import { parseTestTask, type TestTask } from "../../../../src/core/test-task/test-task.ts";
import { readBuildFunction } from "../../../../src/core/zuul/function-name.ts";
import { parseParameters } from "../../../../src/core/zuul/parameters.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { checks, datasets } from "../../../support/objects/dataset-and-check-specs.ts";
import { testTaskSpecs } from "../../../support/objects/test-task-specs.ts";
import { taskObject } from "../../../support/objects/test-tasks.ts";

const SETTINGS = {
  installation: "i",
  image: "i",
  internalUrl: "http://operator:8081",
  checkout: { allowedUrls: ["https://git.example.com"] },
};
const REQUEST = {
  ...{ server: "s:1", unique: "u", number: "unit-0123456789abcdef", logPath: null, payloadHash: null, handle: null, replica: "r" },
  since: "2026-11-28T09:40:00.000Z",
};

/** Those that are valid by themselves, so that many specs are, with several of them. */
const only = (lists: fc.Arbitrary<unknown>, isValid: (list: unknown) => boolean) =>
  lists.map((list) => (Array.isArray(list) ? list : []).filter((each) => isValid([each])));

const specs = () =>
  fc
    .tuple(
      fc.oneof({ weight: 3, arbitrary: fc.constant({ image: "i" }) }, { weight: 1, arbitrary: testTaskSpecs() }),
      only(datasets(), (list) => datasetsSchema.safeParse(list).success),
      only(checks(), (list) => {
        const { data } = checksSchema.safeParse(list);
        return data !== undefined && findCheckFaults(data).length === 0;
      }),
    )
    .map(([spec, datasets, checks]) => ({ ...(spec as object), datasets, checks }));

/** Of a build; `""` is not said. */
const items = () =>
  fc.record({ ZUUL_PROJECT: fc.constantFrom("a/b", "openstack/nova", ""), ZUUL_BRANCH: fc.constantFrom("master", "stable/1.0", "") });

/** One Job for each dataset, as for a build that runs on all of them; one without, where there are none. */
function renderAll(input: ManifestInput, datasets: readonly TestTaskDataset[]): Job[] {
  const inputs = datasets.length === 0 ? [undefined] : datasets;
  return inputs.map((dataset, index) => {
    const member: MemberRecord = { index, datasets: datasets.map(({ name }) => ({ name })), since: REQUEST.since };
    const rendered = tryRenderJob({ ...input, dataset, ...(datasets.length > 1 ? { member } : {}) });
    assert.ok(rendered.ok, JSON.stringify(rendered));
    return rendered.job;
  });
}

/** Those of the task's containers that have the dataset. */
function mounting(job: Job): string[] {
  const { containers = [], initContainers = [] } = job.spec?.template.spec ?? {};
  const hasIt = ({ volumeMounts = [] }: Container) => volumeMounts.some(({ name }) => name === DATASET_VOLUME);
  return [...containers, ...initContainers].filter(hasIt).map(({ name }) => name);
}

function checkJob(job: Job, task: TestTask, dataset: TestTaskDataset | undefined): void {
  const { volumes = [], initContainers = [], containers } = job.spec?.template.spec ?? { containers: [] };
  for (const list of [volumes, [...initContainers, ...containers]]) {
    const names = list.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, `twice: ${names}`);
  }
  assert.equal(volumes.filter(({ name }) => name === DATASET_VOLUME).length, dataset ? 1 : 0);
  const record = readJobRecord(job);
  assert.deepEqual(record?.dataset, dataset && renderDatasetRecord(dataset));
  // Builds of a task whose checks are at fault are refused.
  if (findCheckFaults(task.spec.checks).length === 0) assert.deepEqual(readChecks(job), task.spec.checks ?? []);
  const [test = ""] = containers.map(({ name }) => name);
  const wanted = dataset?.containers.map((name) => (name === TEST_CONTAINER ? test : name)) ?? [];
  // What copies an image's directory has it as well.
  assert.deepEqual(new Set(mounting(job)), new Set([...wanted, ...(dataset?.image ? [DATASET_CONTAINER] : [])]));
}

describe("whatever is a TestTask", () => {
  test("has a Job for each dataset that a build matches, of which it can be read again, and its checks go through any log", (t) => {
    const counts = { tasks: 0, several: 0, checked: 0 };
    fc.assert(
      fc.property(specs(), items(), fc.string({ maxLength: 200 }), (spec, item, log) => {
        const parsed = parseTestTask({ ...taskObject(), spec });
        if (!parsed.ok) return;
        const { task } = parsed;
        const read = parseParameters(Buffer.from(JSON.stringify(item)));
        assert.ok(read.ok);
        const matching = matchingDatasets(task.spec, datasetQuery(read.parameters));
        const input = {
          task,
          function: readBuildFunction("build:unit"),
          parameters: read.parameters,
          request: REQUEST,
          settings: SETTINGS,
        };
        const jobs = renderAll(input, matching);
        for (const [index, job] of jobs.entries()) checkJob(job, task, matching[index]);
        if (jobs[0] && jobs.length > 1)
          assert.deepEqual(readTestTask(jobs[0])?.spec, task.spec, "an operator that finds the first makes the others");
        const reviewed = renderReviewedObjects(task, SETTINGS);
        assert.equal(
          reviewed.ok && reviewed.objects.length,
          1 + (task.spec.nodeLabels ?? []).length + Math.max(1, task.spec.datasets?.length ?? 0),
        );
        counts.tasks += 1;
        if (jobs.length > 1) counts.several += 1;
        const wanted = task.spec.checks ?? [];
        if (wanted.length === 0 || findCheckFaults(wanted).length > 0) return;
        const run = new LogChecks(wanted, { times: new LineTimes() });
        run.write(Buffer.from(`step 1 -> 2\n${log}\na 5\n`));
        const names = run.end({ artifacts: new Map(), junit: undefined }).map(({ result }) => result.name);
        assert.deepEqual(
          names,
          wanted.map(({ name }) => name),
        );
        counts.checked += 1;
      }),
      fuzzParameters(t, 500),
    );
    t.diagnostic(JSON.stringify(counts));
    assert.ok(counts.tasks > 200 && counts.several > 20 && counts.checked > 50, JSON.stringify(counts));
  });
});
