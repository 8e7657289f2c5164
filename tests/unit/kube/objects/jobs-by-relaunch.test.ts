import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isSameRelaunch, launchOf } from "../../../../src/core/job/relaunch.ts";
import { RELAUNCH_ANNOTATION } from "../../../../src/core/kubernetes/labels.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";
import { JobsByRelaunch } from "../../../../src/kube/objects/jobs-by-relaunch.ts";

const KEYS = [undefined, "aaaaaaaaaaaaaaaa-x", "bbbbbbbbbbbbbbbb-x", "x", "aaaaaaaaaaaaaaaa-y", ""];
const NAMES = ["one", "two", "three"];

function makeJob(name: string, key: string | undefined): Job {
  return { metadata: { name, namespace: "ci", ...(key === undefined ? {} : { annotations: { [RELAUNCH_ANNOTATION]: key } }) } };
}

describe("the Jobs of a request", () => {
  test("are those that a look at every Job finds, whatever came, changed and went", () => {
    const change = fc.record({ name: fc.constantFrom(...NAMES), key: fc.constantFrom(...KEYS), isGone: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const index = new JobsByRelaunch();
        const jobs = new Map<string, Job>();
        for (const { name, key, isGone } of changes) {
          const job = makeJob(name, key);
          if (isGone) jobs.delete(name);
          else jobs.set(name, job);
          index.put(`ci/${name}`, isGone ? undefined : job);
        }
        for (const key of KEYS) {
          if (key === undefined) continue;
          const all = [...jobs.values()].filter((job) => {
            const own = job.metadata.annotations?.[RELAUNCH_ANNOTATION];
            return own !== undefined && isSameRelaunch(own, key);
          });
          assert.deepEqual(new Set(index.of(key)), new Set(all));
          const launch = launchOf(key);
          const launches = [...jobs.values()].filter((job) => {
            const own = job.metadata.annotations?.[RELAUNCH_ANNOTATION];
            return launch !== undefined && own !== undefined && launchOf(own) === launch;
          });
          assert.deepEqual(new Set(index.launchesOf(key)), new Set(launches));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
