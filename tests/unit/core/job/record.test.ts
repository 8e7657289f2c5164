import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  findJob,
  isMadeAfter,
  isRecorded,
  isSameBuild,
  readJobRecord,
  readRequestRecord,
  readRoles,
} from "../../../../src/core/job/record.ts";
import type { Job } from "../../../../src/core/kubernetes/objects.ts";

const REQUEST = {
  server: "zuul:4730",
  unique: "ab",
  number: "unit-1",
  logPath: null,
  payloadHash: "00ff",
  handle: "H:zuul:1",
  replica: "host",
  since: "2026-01-01T00:00:00Z",
};
const ANNOTATIONS = {
  "turbo-hipster.io/function": "build:unit",
  "turbo-hipster.io/request": JSON.stringify(REQUEST),
  "turbo-hipster.io/timeouts": '{"pull":"10m","run":"1h"}',
};
const LABELS = { "turbo-hipster.io/installation": "a", "turbo-hipster.io/task": "unit" };

function job(annotations: Record<string, string | undefined> = {}, changes: Partial<Job["metadata"]> = {}, parameters = "{}"): Job {
  const all = Object.entries({ ...ANNOTATIONS, ...annotations }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    metadata: { name: "unit-1", namespace: "ci", labels: LABELS, annotations: Object.fromEntries(all), ...changes },
    spec: { template: { metadata: { annotations: { "turbo-hipster.io/parameters": parameters } }, spec: { containers: [] } } },
  };
}

function verdict(value: unknown) {
  return readJobRecord(job({ "turbo-hipster.io/verdict": typeof value === "string" ? value : JSON.stringify(value) }))?.verdict;
}

describe("readJobRecord", () => {
  test("reads all that an operator needs to go on", () => {
    const record = readJobRecord(job({ "turbo-hipster.io/relaunch": "key" }));
    assert.deepEqual(record, {
      namespace: "ci",
      jobName: "unit-1",
      task: "unit",
      functionName: "build:unit",
      request: REQUEST,
      timeouts: { pull: "10m", run: "1h", collect: "10m" },
      roles: { test: "test", others: [], services: [], inits: [], checkout: false, collector: false, marked: false },
      relaunchKey: "key",
      dataset: undefined,
      hasChecks: false,
      isCancelled: false,
      isDelivered: false,
      verdict: undefined,
      member: undefined,
      answer: undefined,
    });
  });

  test("tells a stop, a delivery and a verdict", () => {
    const record = readJobRecord(
      job({
        "turbo-hipster.io/cancelled": "2026-01-01T00:00:00Z",
        "turbo-hipster.io/delivered": "2026-01-01T00:00:01Z",
        "turbo-hipster.io/verdict": '{"result":"ABORTED","class":"cancelled","rule":"stopped","message":"Zuul asked to stop it"}',
      }),
    );
    assert.deepEqual([record?.isCancelled, record?.isDelivered, record?.verdict?.result], [true, true, "ABORTED"]);
  });

  const ROLES = { test: "unit", others: ["web"], services: ["db"], inits: ["setup"], checkout: true, collector: false, marked: false };

  test("believes the Job of what its containers are there for, whatever its template holds", () => {
    const written = job({ "turbo-hipster.io/containers": JSON.stringify(ROLES) });
    assert.deepEqual(readJobRecord(written)?.roles, ROLES);
    const changed = { ...written, spec: { template: { spec: { containers: [{ name: "proxy" }, { name: "unit" }] } } } };
    assert.deepEqual(readJobRecord(changed)?.roles, ROLES);
  });

  test("says whether a script's runner leaves a mark, which no Job of an older version does", () => {
    const { marked: _, ...older } = ROLES;
    const read = (roles: object) => readJobRecord(job({ "turbo-hipster.io/containers": JSON.stringify(roles) }))?.roles;
    assert.deepEqual([read({ ...ROLES, marked: true }), read(older)], [{ ...ROLES, marked: true }, ROLES]);
  });

  test("takes a Job that tells nothing of its containers for one of the test alone", () => {
    const alone = { test: "test", others: [], services: [], inits: [], checkout: false, collector: false, marked: false };
    assert.deepEqual(readRoles({ metadata: { name: "unit-1" } }), alone);
    assert.deepEqual(readRoles({ metadata: job().metadata }), alone);
  });

  for (const spoilt of [
    undefined,
    "{",
    "null",
    "[]",
    '{"test":"unit"}',
    JSON.stringify({ ...ROLES, test: "" }),
    JSON.stringify({ ...ROLES, inits: [1] }),
  ]) {
    test(`reads its template where the Job says ${spoilt} of its containers`, () => {
      const spec = {
        containers: [{ name: "unit" }, { name: "web" }],
        initContainers: [{ name: "checkout" }, { name: "db", restartPolicy: "Always" }, { name: "setup" }],
      };
      const older = { ...job({ "turbo-hipster.io/containers": spoilt }), spec: { template: { spec } } };
      assert.deepEqual(readJobRecord(older)?.roles, ROLES);
      const named = { template: { spec: { ...spec, containers: [{ name: "web" }, { name: "test" }] } } };
      const roles = readJobRecord({ ...older, spec: named })?.roles;
      assert.deepEqual([roles?.test, roles?.others], ["test", ["web"]]);
    });
  }

  const strangers: [string, Job][] = [
    ["a Job without annotations", { metadata: { name: "x", namespace: "ci" } }],
    ["no function", job({ "turbo-hipster.io/function": undefined })],
    ["no request", job({ "turbo-hipster.io/request": undefined })],
    ["a request that is no JSON", job({ "turbo-hipster.io/request": "{" })],
    ["a request that is null", job({ "turbo-hipster.io/request": "null" })],
    ["a request without a number", job({ "turbo-hipster.io/request": JSON.stringify({ ...REQUEST, number: undefined }) })],
    ["a request whose number is a path", job({ "turbo-hipster.io/request": JSON.stringify({ ...REQUEST, number: "../x" }) })],
    ["no timeouts", job({ "turbo-hipster.io/timeouts": undefined })],
    ["timeouts that are no durations", job({ "turbo-hipster.io/timeouts": '{"pull":"soon","run":"1h"}' })],
    ["no task", job({}, { labels: {} })],
    ["no namespace", job({}, { namespace: "" })],
    ["a limit for its wait that is no duration", job({ "turbo-hipster.io/timeouts": '{"pull":"10m","run":"1h","schedule":"soon"}' })],
  ];
  for (const [name, stranger] of strangers) {
    test(`is none of a Job with ${name}`, () => assert.equal(readJobRecord(stranger), undefined));
  }

  const success = { result: "SUCCESS", class: "success", rule: "exit-0", message: "the test ended with exit code 0" };
  const verdicts: [string, unknown, unknown][] = [
    ["a success", success, success],
    ["what is no JSON", "SUCCESS", undefined],
    ["a class that is none", { ...success, class: "great" }, undefined],
    ["a failure that calls itself SUCCESS", { ...success, class: "failure" }, undefined],
    ["a success that calls itself otherwise", { ...success, result: "FINE" }, undefined],
    ["a success without a result", { ...success, result: null }, undefined],
    ["an infrastructure failure with a result", { ...success, class: "infrastructure" }, undefined],
    ["a failure whose result is an empty word", { ...success, class: "failure", result: '"' }, undefined],
    ["a failure that calls itself SUCCESS by another spelling", { ...success, class: "failure", result: "“Success”" }, undefined],
    [
      "an infrastructure failure",
      { ...success, class: "infrastructure", result: null },
      { ...success, class: "infrastructure", result: null },
    ],
    ["a failure without a result", { ...success, class: "failure", result: null }, undefined],
  ];
  for (const [name, written, read] of verdicts) {
    test(`believes no verdict that this program would not write: ${name}`, () => assert.deepEqual(verdict(written), read));
  }

  test("believes a verdict of a version that let more pass to Zuul, and cleans its result", () => {
    const failure = { ...success, class: "failure", message: "it says" };
    for (const [old, cleaned] of [
      ['expected "a b" in $PATH', "expected a b in PATH"],
      ["a:b|c\nd", "a-b/c d"],
      ["2 Prüfungen", "2 Prüfungen"],
      ["FAILURE", "FAILURE"],
    ]) {
      assert.deepEqual(verdict({ ...failure, result: old }), { ...failure, result: cleaned });
    }
    const configuration = { ...failure, class: "configuration", result: 'CONFIG_ERROR - secret "db" not found' };
    assert.deepEqual(verdict(configuration), { ...configuration, result: "CONFIG_ERROR - secret db not found" });
    const cancelled = { ...failure, class: "cancelled", result: "ABORTED" };
    assert.deepEqual(verdict(cancelled), cancelled);
  });
});

describe("isSameBuild", () => {
  test("is true for the same request, whatever was noted since", () => {
    assert.equal(isSameBuild(job({ "turbo-hipster.io/cancelled": "now" }, { uid: "1" }), job()), true);
  });

  const request = (changes: object) => job({ "turbo-hipster.io/request": JSON.stringify({ ...REQUEST, ...changes }) });
  const others: [string, Job][] = [
    ["another server", request({ server: "zuul:4731" })],
    ["another unique", request({ unique: "cd" })],
    ["another function", job({ "turbo-hipster.io/function": "build:other" })],
    ["other parameters", job({}, {}, '{"A":"1"}')],
    ["another installation", job({}, { labels: { ...LABELS, "turbo-hipster.io/installation": "b" } })],
    ["no parameters", { ...job(), spec: { template: { metadata: {}, spec: { containers: [] } } } }],
    ["a template without annotations", { ...job(), spec: { template: { spec: { containers: [] } } } }],
    ["no spec", { metadata: job().metadata }],
    ["one that is being deleted", job({}, { deletionTimestamp: "2026-01-01T00:00:00Z" })],
    ["one whose answer was delivered", job({ "turbo-hipster.io/delivered": "2026-01-01T00:00:01Z" })],
    ["no build at all", { metadata: { name: "unit-1", namespace: "ci" } }],
  ];
  const verdict = { "turbo-hipster.io/verdict": '{"result":"SUCCESS","class":"success","rule":"exit-0","message":"ok"}' };
  const over = (handle: string | null) => job({ ...verdict, "turbo-hipster.io/request": JSON.stringify({ ...REQUEST, handle }) });
  test("is true for what is over and was asked for under the same handle, or nobody knows which", () => {
    for (const handle of [REQUEST.handle, null]) assert.equal(isSameBuild(over(handle), job()), true);
  });
  test("is true for what is not over, whatever its handle", () => assert.equal(isSameBuild(request({ handle: "H:zuul:0" }), job()), true));
  others.push(["what is over and was asked for under another handle, so that its answer was read", over("H:zuul:0")]);
  for (const [name, other] of others) test(`is false for ${name}`, () => assert.equal(isSameBuild(other, job()), false));

  test("is false where what is wanted is no build", () => {
    const none: Job = { metadata: { name: "unit-1", namespace: "ci", labels: LABELS } };
    assert.deepEqual([isSameBuild(job(), none), isSameBuild(none, none)], [false, false]);
  });
});

const VERDICT = '{"result":"ABORTED","class":"cancelled","rule":"stopped","message":"Zuul asked to stop it"}';

describe("isRecorded", () => {
  const told = { "turbo-hipster.io/verdict": VERDICT };
  const mayGo = (annotations: Record<string, string>): Job => {
    const made = job(annotations);
    return { ...made, spec: { template: { spec: { containers: [] } }, ...made.spec, ttlSecondsAfterFinished: 3600 } };
  };
  const rows: [string, Job, boolean][] = [
    ["a build under way", job(), false],
    ["a Job that says nothing at all", { metadata: { name: "x" } }, false],
    ["a build whose answer was read", job({ "turbo-hipster.io/delivered": "2026-01-01T00:00:01Z" }), true],
    ["a verdict that still may be asked for", job(told), false],
    ["a verdict that nobody is to ask for any more", mayGo(told), true],
    ["a Job that may go, of which nobody knows the end", mayGo({}), false],
    ["a Job that may go, whose verdict says nothing", mayGo({ "turbo-hipster.io/verdict": "{" }), false],
    ["a Job without annotations", { ...mayGo({}), metadata: { name: "x" } }, false],
  ];
  for (const [name, made, expected] of rows) test(`is ${expected} for ${name}`, () => assert.equal(isRecorded(made), expected));
});

describe("findJob", () => {
  const at = (name: string, day: string | undefined, annotations: Record<string, string> = {}) =>
    job(annotations, { name, ...(day === undefined ? {} : { creationTimestamp: `2026-01-0${day}T00:00:00Z` }) });
  const delivered = { "turbo-hipster.io/delivered": "2026-01-09T00:00:00Z" };
  const otherNumber = { "turbo-hipster.io/request": JSON.stringify({ ...REQUEST, number: "unit-12" }) };
  const stranger: Job = { metadata: { name: "unit-1", namespace: "ci" } };
  const rows: [string, Job[], string | undefined][] = [
    ["nothing among none", [], undefined],
    ["nothing among others' Jobs", [stranger, job(otherNumber, { name: "unit-12" })], undefined],
    ["nothing that is only called like it", [job(otherNumber)], undefined],
    ["nothing that is called otherwise, whatever it says", [at("other-1", "1")], undefined],
    ["the one that is there, among others", [stranger, at("unit-1", "1"), job(otherNumber, { name: "unit-12" })], "unit-1"],
    ["the newest of several", [at("unit-1", "1"), at("unit-1-r2", "3"), at("unit-1-r1", "2")], "unit-1-r2"],
    ["one under way rather than a newer one that is over", [at("unit-1", "1"), at("unit-1-r1", "2", delivered)], "unit-1"],
    ["the same in the other order", [at("unit-1-r1", "2", delivered), at("unit-1", "1")], "unit-1"],
    ["the newest of those that are over", [at("unit-1-r1", "2", delivered), at("unit-1", "1", delivered)], "unit-1-r1"],
    ["one whose age is known rather than one that tells none", [at("unit-1", undefined), at("unit-1-r1", "1")], "unit-1-r1"],
    ["that one in the other order, too", [at("unit-1-r1", "1"), at("unit-1", undefined)], "unit-1-r1"],
    ["the later name of two of one second", [at("unit-1", "1"), at("unit-1-r1", "1")], "unit-1-r1"],
  ];
  for (const [name, jobs, expected] of rows) {
    test(`finds ${name}`, () => {
      const found = findJob(jobs, "unit-1");
      assert.equal(found?.job.metadata.name, expected);
      assert.equal(found?.record.jobName, expected);
    });
  }
});

test("a request that older versions wrote is read, with nothing for what they did not tell", () => {
  assert.deepEqual(readRequestRecord('{"server":"zuul:4730","unique":"ab","number":"unit-1"}'), {
    ...{ server: "zuul:4730", unique: "ab", number: "unit-1" },
    ...{ logPath: null, payloadHash: null, handle: null, replica: null, since: "" },
  });
  assert.equal(readRequestRecord(undefined), undefined);
  for (const number of ["", "-a", "a-", "a_b", "A", "a b", "a\n", "a".repeat(254)]) {
    assert.equal(readRequestRecord(JSON.stringify({ ...REQUEST, number })), undefined, number);
  }
  for (const number of ["a", "a.b-1", "a".repeat(253)]) assert.ok(readRequestRecord(JSON.stringify({ ...REQUEST, number })), number);
});

describe("isMadeAfter", () => {
  const made = (name: string, creationTimestamp: string) => job({}, { name, creationTimestamp });
  const [early, late] = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"];
  const rows: [string, Job, Job, boolean][] = [
    ["one of a later second", made("unit-1", late), made("unit-1-r9", early), true],
    ["one of an earlier second", made("unit-1-r9", early), made("unit-1", late), false],
    ["a later name of the same second", made("unit-1-r10", late), made("unit-1-r9", late), true],
    ["the first name of the same second", made("unit-1", late), made("unit-1-r1", late), false],
  ];
  for (const [name, one, other, expected] of rows) test(`tells of ${name}`, () => assert.equal(isMadeAfter(one, other), expected));
});
