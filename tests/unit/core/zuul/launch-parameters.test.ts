import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_REVISION, renderZuulParameters, type ZuulRequest, zuulFunctionName } from "../../../../src/core/zuul/launch-parameters.ts";
import { parseJson } from "../../../../src/core/zuul/python-json.ts";

const REQUEST: Omit<ZuulRequest, "item"> = {
  jobName: "unit",
  uuid: "0123456789abcdef0123456789abcdef",
  project: "openstack/nova",
  pipeline: "gate",
  zuulUrl: "http://zuul.example.org/p",
  isVoting: true,
};
const ALWAYS = {
  ZUUL_UUID: "0123456789abcdef0123456789abcdef",
  ZUUL_PROJECT: "openstack/nova",
  ZUUL_PIPELINE: "gate",
  ZUUL_URL: "http://zuul.example.org/p",
  ZUUL_VOTING: "1",
};

test("a change's build has its branch, ref, commit and the log path of its number", () => {
  const ref = `refs/zuul/stable/x/Z${"0".repeat(32)}`;
  const item = { kind: "change", branch: "stable/x", number: "123456", patchset: "3", ref, commit: "abc" } as const;
  assert.deepEqual(renderZuulParameters({ ...REQUEST, item }), {
    ...ALWAYS,
    ZUUL_BRANCH: "stable/x",
    ZUUL_CHANGES: "openstack/nova:stable/x:refs/changes/56/123456/3",
    ZUUL_REF: ref,
    ZUUL_COMMIT: "abc",
    ZUUL_CHANGE_IDS: "123456,3",
    ZUUL_CHANGE: "123456",
    ZUUL_PATCHSET: "3",
    BASE_LOG_PATH: "56/123456/3",
    LOG_PATH: "56/123456/3/gate/unit/0123456",
  });
});

test("Gerrit pads a number below ten in its refspec, Zuul does not in the log path", () => {
  const item = { kind: "change", branch: "master", number: "7", patchset: "1", ref: "refs/zuul/master/Z1", commit: null } as const;
  const parameters = renderZuulParameters({ ...REQUEST, item });
  assert.equal(parameters.ZUUL_CHANGES, "openstack/nova:master:refs/changes/07/7/1");
  assert.equal(parameters.BASE_LOG_PATH, "7/7/1");
});

test("a ref's build has its old and new revision, and no change", () => {
  const item = { kind: "ref", ref: "refs/tags/1.0", oldRevision: NO_REVISION, newRevision: "abcdef" } as const;
  assert.deepEqual(renderZuulParameters({ ...REQUEST, item }), {
    ...ALWAYS,
    ZUUL_REFNAME: "refs/tags/1.0",
    ZUUL_OLDREV: NO_REVISION,
    ZUUL_NEWREV: "abcdef",
    ZUUL_REF: "refs/tags/1.0",
    ZUUL_COMMIT: "abcdef",
    BASE_LOG_PATH: "ab/abcdef",
    LOG_PATH: "ab/abcdef/gate/unit/0123456",
  });
});

test("a timer's build has no ref, and its log path begins with the pipeline", () => {
  assert.deepEqual(renderZuulParameters({ ...REQUEST, isVoting: false, zuulUrl: null, item: { kind: "timer" } }), {
    ...ALWAYS,
    ZUUL_URL: null,
    ZUUL_VOTING: "0",
    BASE_LOG_PATH: "",
    LOG_PATH: "gate/unit/0123456",
  });
});

test("ZUUL_NODE chooses the function of a node label, and only as a parameter of its own", () => {
  assert.equal(zuulFunctionName("unit", {}), "build:unit");
  assert.equal(zuulFunctionName("unit", { ZUUL_NODE: "bionic" }), "build:unit:bionic");
  assert.equal(zuulFunctionName("unit", Object.create({ ZUUL_NODE: "bionic" })), "build:unit");
});

const NODES: [written: string, functionName: string | undefined][] = [
  ['"bionic"', "build:unit:bionic"],
  ["7", "build:unit:7"],
  ["-0", "build:unit:0"],
  ["12345678901234567890", "build:unit:12345678901234567890"],
  ["null", "build:unit:None"],
  ["true", "build:unit:True"],
  ["false", "build:unit:False"],
  ["7.0", undefined],
  ["NaN", undefined],
  ['["a"]', undefined],
  ['{"a": 1}', undefined],
];
for (const [written, functionName] of NODES) {
  test(`ZUUL_NODE ${written} asks for ${functionName ?? "nothing that a node label could be"}`, () => {
    assert.equal(zuulFunctionName("unit", { ZUUL_NODE: parseJson(written, 9) }), functionName);
  });
}
