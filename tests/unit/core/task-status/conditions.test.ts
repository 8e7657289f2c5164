import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readReadiness, renderTestTaskStatus, type StatusFacts } from "../../../../src/core/task-status/conditions.ts";
import type { TestTaskStatus } from "../../../../src/core/test-task/schema/status.ts";
import { makeTask } from "../../../support/objects/test-tasks.ts";

const NOW = new Date("2026-01-02T03:04:05.678Z");

function statusOf(facts: Partial<StatusFacts> = {}, now = NOW): TestTaskStatus {
  return renderTestTaskStatus(
    {
      generation: 3,
      task: makeTask(),
      functions: { functions: ["build:unit"], conflicts: [] },
      review: { kind: "accepted", warnings: [] },
      servers: [{ server: "gearman:4730", isRegistered: true }],
      active: 0,
      lastBuild: undefined,
      previous: undefined,
      ...facts,
    },
    now,
  );
}

function conditionOf(status: TestTaskStatus, type: string) {
  const { status: value, reason, message } = status.conditions?.find((each) => each.type === type) ?? {};
  return [value, reason, message];
}

describe("Ready", () => {
  test("is true when the task serves its functions, the API server takes its Job and Gearman knows of it", () => {
    assert.deepEqual(conditionOf(statusOf(), "Ready"), ["True", "Serving", "serves build:unit"]);
  });

  const notReady: [string, Partial<StatusFacts>, string, RegExp][] = [
    ["the spec is invalid", { task: { problems: ["spec.image is required"] } }, "Invalid", /^spec\.image is required$/],
    [
      "another task has its function, also of another namespace",
      { functions: { functions: [], conflicts: [{ function: "build:unit", heldBy: "other/older" }] } },
      "FunctionConflict",
      /build:unit \(held by the older TestTask other\/older\)/,
    ],
    [
      "a pattern of its checks is none",
      { task: makeTask({ checks: [{ name: "a", pattern: { regex: "(a" } }] }) },
      "ChecksRefused",
      /^refuses all builds: spec\.checks\[0\]\.pattern\.regex is no regular expression \(RE2\) - missing closing \)/,
    ],
    [
      "the API server refuses its pod",
      { review: { kind: "refused", message: "its Pod: violates PodSecurity", warnings: [] } },
      "TemplateRefused",
      /^the API server refuses its Pod: violates PodSecurity$/,
    ],
    [
      "a quota wants what it does not say",
      { review: { kind: "refused", message: "its Pod: failed quota: team: must specify limits.cpu for: test", warnings: ["old"] } },
      "TemplateRefused",
      /^the API server refuses its Pod: .* for: test - give the task `resources`, .*; warnings: old$/,
    ],
    ["it is suspended", { task: makeTask({ suspend: true }) }, "Suspended", /spec\.suspend/],
    [
      "no Gearman server is there",
      { servers: [{ server: "a:1", isRegistered: false }] },
      "NoServer",
      /no Gearman server is connected: a:1/,
    ],
  ];
  for (const [name, facts, reason, message] of notReady) {
    test(`is false when ${name}, and says so`, () => {
      const [status, why, text] = conditionOf(statusOf(facts), "Ready");
      assert.deepEqual([status, why], ["False", reason]);
      assert.match(String(text), message);
    });
  }

  test("does not wait for an API server that does not say", () => {
    assert.equal(conditionOf(statusOf({ review: { kind: "unknown", message: "timeout" } }), "Ready")[0], "True");
    assert.equal(conditionOf(statusOf({ review: undefined }), "Ready")[0], "True");
  });
});

describe("Registered", () => {
  const [here, there] = [true, false].map((isRegistered, index) => ({ server: `server-${index}:4730`, isRegistered }));
  assert.ok(here && there);
  const rows: [string, Partial<StatusFacts>, string, string, string][] = [
    ["a server that has its functions", {}, "True", "Registered", "registered on gearman:4730"],
    ["one of two servers", { servers: [here, there] }, "True", "Registered", "registered on server-0:4730, not on server-1:4730"],
    ["no server", { servers: [there] }, "False", "NoServer", "no Gearman server is connected: server-1:4730"],
    [
      "an invalid task",
      { task: { problems: ["a"] } },
      "False",
      "Invalid",
      "serves no function while it is invalid; those that it names stay registered",
    ],
    [
      "a task whose functions are all another's",
      { functions: { functions: [], conflicts: [{ function: "build:unit", heldBy: "ci/older" }] } },
      ...(["False", "FunctionConflict", "has no function to register"] as const),
    ],
  ];
  for (const [of, facts, ...expected] of rows) {
    test(`of ${of}`, () => assert.deepEqual(conditionOf(statusOf(facts), "Registered"), expected));
  }
});

describe("TemplateValid", () => {
  test("is true of what the API server takes", () => {
    assert.deepEqual(conditionOf(statusOf(), "TemplateValid"), ["True", "Accepted", "the API server takes its Job and pod"]);
  });

  test("holds the API server's warnings", () => {
    assert.deepEqual(conditionOf(statusOf({ review: { kind: "accepted", warnings: ['unknown field "spec.volumez"'] } }), "TemplateValid"), [
      "True",
      "AcceptedWithWarnings",
      'the API server takes its Job and pod, but warns: unknown field "spec.volumez"',
    ]);
  });

  test("is false where no Job can be made of the task, in the renderer's words", () => {
    const status = statusOf({ review: { kind: "unrenderable", message: "TestTask a makes no Job, look at spec.env" } });
    assert.deepEqual(conditionOf(status, "TemplateValid"), ["False", "TemplateRefused", "TestTask a makes no Job, look at spec.env"]);
    assert.equal(conditionOf(status, "Ready")[0], "False");
  });

  test("is unknown before the API server was asked, when it did not say, and for a spec that cannot be rendered", () => {
    const found = [undefined, { kind: "unknown", message: "timeout" } as const].map((review) =>
      conditionOf(statusOf({ review }), "TemplateValid").slice(0, 2),
    );
    assert.deepEqual(found, [
      ["Unknown", "ReviewPending"],
      ["Unknown", "ReviewFailed"],
    ]);
    assert.equal(conditionOf(statusOf({ task: { problems: ["a"] } }), "TemplateValid")[0], "Unknown");
  });

  test("stands as it was found for this generation while the API server is asked anew, and not for another one", () => {
    const previous = statusOf({ review: { kind: "refused", message: "its Pod: no", warnings: [] } });
    assert.equal(conditionOf(statusOf({ review: undefined, previous }), "TemplateValid")[0], "False");
    assert.equal(conditionOf(statusOf({ review: { kind: "unknown", message: "x" }, previous }), "TemplateValid")[0], "False");
    assert.equal(conditionOf(statusOf({ review: undefined, previous, generation: 4 }), "TemplateValid")[0], "Unknown");
    const suspended = statusOf({ task: makeTask({ suspend: true }) });
    assert.deepEqual(conditionOf(statusOf({ review: undefined, previous: suspended }), "TemplateValid").slice(0, 2), ["True", "Accepted"]);
  });

  test("is as little known as it was, for the newest reason", () => {
    const review = { kind: "unknown", message: "timeout" } as const;
    for (const previous of [{}, statusOf({ review: undefined })]) {
      assert.equal(conditionOf(statusOf({ review, previous }), "TemplateValid")[1], "ReviewFailed");
    }
  });
});

describe("Degraded", () => {
  test("says how a task is taken whose builds could not be carried out, and is false for any other", () => {
    assert.deepEqual(conditionOf(statusOf(), "Degraded"), ["False", "Healthy", "takes as many builds at once as it may"]);
    const degraded = { failures: 4, message: "the pod's images were not there in time", holdUntil: new Date("2026-01-02T03:05:00.123Z") };
    assert.deepEqual(conditionOf(statusOf({ degraded }), "Degraded"), [
      "True",
      "BuildsLost",
      "takes one build at a time, the next not before 2026-01-02T03:05:00Z: 4 builds in a row could not be carried out, the last because the pod's images were not there in time",
    ]);
  });
});

test("Degraded says how many builds no node takes, in the scheduler's words, and whether that holds the task back", () => {
  const waiting = { builds: 3, words: "0/2 nodes are available: 2 Insufficient cpu.", isHeldBack: true };
  assert.deepEqual(conditionOf(statusOf({ waiting }), "Degraded"), [
    "True",
    "BuildsWait",
    "3 builds wait for a node, so that it takes no more until one has a node: 0/2 nodes are available: 2 Insufficient cpu.",
  ]);
  const one = conditionOf(statusOf({ waiting: { ...waiting, builds: 1, isHeldBack: false } }), "Degraded");
  assert.equal(one[2], "1 build waits for a node: 0/2 nodes are available: 2 Insufficient cpu.");
});

describe("a status", () => {
  test("is equal for equal facts, whenever: a transition time moves with its condition's status only", () => {
    const first = statusOf();
    const later = new Date("2027-01-01T00:00:00Z");
    assert.deepEqual(statusOf({ previous: first }, later), first);
    const suspended = statusOf({ previous: first, task: makeTask({ suspend: true }) }, later);
    const times = suspended.conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]);
    assert.deepEqual(times, [
      ["Ready", "2027-01-01T00:00:00Z"],
      ["Registered", "2026-01-02T03:04:05Z"],
      ["TemplateValid", "2026-01-02T03:04:05Z"],
      ["Degraded", "2026-01-02T03:04:05Z"],
    ]);
  });

  test("is of the generation that was seen, each of its conditions too", () => {
    const { observedGeneration, conditions = [] } = statusOf();
    assert.deepEqual([observedGeneration, ...conditions.map((each) => each.observedGeneration)], [3, 3, 3, 3, 3]);
  });

  test("lists five of a kind, and says how many more there are", () => {
    const serves = (count: number) =>
      conditionOf(statusOf({ functions: { functions: ["a", "b", "c", "d", "e", "f", "g"].slice(0, count), conflicts: [] } }), "Ready")[2];
    assert.deepEqual([serves(5), serves(7)], ["serves a, b, c, d, e", "serves a, b, c, d, e and 2 more"]);
  });

  test("keeps the last build over a restart", () => {
    const lastBuild = { number: "unit-1", result: null, finishedAt: "2026-01-01T00:00:00Z" };
    assert.deepEqual(statusOf({ previous: { lastBuild } }).lastBuild, lastBuild);
  });

  test("stays short, whatever the API server says", () => {
    const { conditions = [] } = statusOf({ review: { kind: "refused", message: "x".repeat(100_000), warnings: ["y".repeat(100_000)] } });
    for (const { message } of conditions) assert.ok(message.length <= 4096);
    const message = "x".repeat(4096);
    assert.equal(conditionOf(statusOf({ review: { kind: "unrenderable", message } }), "TemplateValid")[2], message);
  });
});

describe("the readiness of a TestTask", () => {
  const read = (status: unknown) => readReadiness({ metadata: { name: "a" }, status } as never);

  test("is what its status says, and unknown where that says nothing", () => {
    assert.equal(
      read({
        conditions: [
          { type: "Registered", status: "True" },
          { type: "Ready", status: "False" },
        ],
      }),
      "False",
    );
    for (const status of [
      undefined,
      null,
      {},
      { conditions: null },
      { conditions: "Ready" },
      { conditions: [null, { type: "Ready", status: 1 }] },
    ])
      assert.equal(read(status), undefined);
  });
});
