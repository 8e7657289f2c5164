import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { InvalidTask } from "../../../../src/core/test-task/invalid-task.ts";
import { type DecidedLane, decideLanes, type LaneFacts } from "../../../../src/core/test-task/lanes.ts";
import { decideServedFunctions } from "../../../../src/core/test-task/served-functions.ts";
import { testTaskKey } from "../../../../src/core/test-task/test-task.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

function makeFacts(specs: Record<string, object>, facts: Partial<LaneFacts> = {}): LaneFacts {
  const metadata = { creationTimestamp: "2026-01-01T00:00:00Z" };
  const tasks = Object.entries(specs).map(([name, spec]) => makeTask(spec, { name, ...metadata }));
  const served = decideServedFunctions(tasks);
  return {
    tasks: new Map(tasks.map((task) => [testTaskKey(task), task])),
    served,
    registered: served.byFunction.keys(),
    namespaces: { isKnown: () => true, areAllKnown: true },
    degradedOf: () => undefined,
    heldBackOf: () => undefined,
    ...facts,
  };
}

function makeInvalid(name: string, isSuspended: boolean): InvalidTask {
  return { metadata: { name, namespace: "ci" }, functions: [`build:${name}`], isSuspended, problems: ["spec.image is required"] };
}

const ROWS: [string, LaneFacts, DecidedLane[]][] = [
  ["none for no task", makeFacts({}), []],
  [
    "one for all tasks without a limit, out of the installation's pool",
    makeFacts({ a: {}, b: { jobs: ["b1", "b2"] } }),
    [{ name: "shared", functions: ["build:a", "build:b1", "build:b2"], pool: "installation" }],
  ],
  [
    "one for each task with a limit",
    makeFacts({ a: { maxConcurrent: 3 }, b: {}, c: { maxConcurrent: 1 } }),
    [
      { name: "shared", functions: ["build:b"], pool: "installation" },
      { name: "ci/a", functions: ["build:a"], pool: { capacity: 3, isPaused: false } },
      { name: "ci/c", functions: ["build:c"], pool: { capacity: 1, isPaused: false } },
    ],
  ],
  [
    "none for a suspended task, which stays registered and is not retired",
    makeFacts({ a: { suspend: true }, b: { suspend: true, maxConcurrent: 3 } }),
    [],
  ],
  [
    "none for a task whose functions an older one holds",
    makeFacts({ a: { jobs: ["x"] }, b: { jobs: ["x"], maxConcurrent: 2 } }),
    [{ name: "shared", functions: ["build:x"], pool: "installation" }],
  ],
  [
    "none for a task of which it is not known yet what it serves",
    makeFacts({ a: {} }, { served: decideServedFunctions([]), registered: [] }),
    [],
  ],
  [
    "none for tasks of a namespace that is not known yet",
    makeFacts({ a: {}, b: { maxConcurrent: 2 } }, { namespaces: { isKnown: (namespace) => namespace !== "ci", areAllKnown: false } }),
    [],
  ],
  [
    "one of its own for a task that is taken slowly, whatever its limit",
    makeFacts({ a: {}, b: {}, c: { maxConcurrent: 5 } }, { degradedOf: (key) => (key === "ci/b" ? undefined : { holdMs: 0 }) }),
    [
      { name: "shared", functions: ["build:b"], pool: "installation" },
      { name: "ci/a", functions: ["build:a"], pool: { capacity: 1, isPaused: false } },
      { name: "ci/c", functions: ["build:c"], pool: { capacity: 1, isPaused: false } },
    ],
  ],
  [
    "a paused one for a task that is not taken at all for a while",
    makeFacts({ a: {} }, { degradedOf: () => ({ holdMs: 5 }) }),
    [{ name: "ci/a", functions: ["build:a"], pool: { capacity: 1, isPaused: true } }],
  ],
  [
    "one for functions that no task serves any more",
    makeFacts({ a: {} }, { registered: ["build:old", "build:a", "build:older"] }),
    [
      { name: "shared", functions: ["build:a"], pool: "installation" },
      { name: "retired", functions: ["build:old", "build:older"], pool: "retired" },
    ],
  ],
  [
    "that one for functions of an invalid task too, registered before or not, unless it is suspended",
    makeFacts(
      { a: {} },
      {
        served: {
          ...makeFacts({ a: {} }).served,
          refused: new Map([
            ["build:broken", makeInvalid("broken", false)],
            ["build:held", makeInvalid("held", true)],
          ]),
        },
        registered: ["build:held", "build:old"],
      },
    ),
    [
      { name: "shared", functions: ["build:a"], pool: "installation" },
      { name: "retired", functions: ["build:broken", "build:old"], pool: "retired" },
    ],
  ],
  [
    "none for functions that a task of a namespace not known yet may serve",
    makeFacts({ a: {} }, { registered: ["build:old"], namespaces: { isKnown: () => true, areAllKnown: false } }),
    [{ name: "shared", functions: ["build:a"], pool: "installation" }],
  ],
];

describe("the lanes of TestTasks are", () => {
  for (const [title, facts, lanes] of ROWS) test(title, () => assert.deepEqual(decideLanes(facts), lanes));
});
