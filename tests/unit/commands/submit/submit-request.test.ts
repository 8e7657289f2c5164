import assert from "node:assert/strict";
import { test } from "node:test";
import { makeSubmitRequest, type SubmitFlags } from "../../../../src/commands/submit/submit-request.ts";
import { InputError } from "../../../../src/runtime/errors.ts";

const FRESH = { uuid: "a".repeat(32), refName: `Z${"b".repeat(32)}` };
const FLAGS: SubmitFlags = { server: "zuul.example.org", project: "org/project", pipeline: "check" };

function make(flags: Partial<SubmitFlags> = {}, file?: string, jobName = "unit") {
  const request = makeSubmitRequest(jobName, { ...FLAGS, ...flags }, file, FRESH);
  return { ...request, parameters: JSON.parse(request.payload) as Record<string, unknown> };
}

test("without an item it is a timer's build, with a fresh uuid as unique", () => {
  const { server, functionName, unique, parameters, waitsForWorker, timeoutMs } = make();
  assert.deepEqual(
    [server, functionName, unique, waitsForWorker, timeoutMs],
    ["zuul.example.org:4730", "build:unit", FRESH.uuid, false, undefined],
  );
  assert.deepEqual(parameters, {
    ZUUL_UUID: FRESH.uuid,
    ZUUL_PROJECT: "org/project",
    ZUUL_PIPELINE: "check",
    ZUUL_URL: null,
    ZUUL_VOTING: "1",
    BASE_LOG_PATH: "",
    LOG_PATH: "check/unit/aaaaaaa",
  });
});

for (const [flags, branch, ref, ids] of [
  [{ change: "1234,5" }, "master", `refs/zuul/master/${FRESH.refName}`, "1234,5"],
  [{ change: "1234,5", branch: "stable/x" }, "stable/x", `refs/zuul/stable/x/${FRESH.refName}`, "1234,5"],
  [{ branch: "stable/x" }, "stable/x", `refs/zuul/stable/x/${FRESH.refName}`, "1,1"],
  [{ ref: "refs/zuul/stable/x/Zabc" }, "stable/x", "refs/zuul/stable/x/Zabc", "1,1"],
  [{ ref: "refs/changes/34/1234/5", change: "1234,5" }, "master", "refs/changes/34/1234/5", "1234,5"],
] as const) {
  test(`${JSON.stringify(flags)} is the build of change ${ids} of ${branch}`, () => {
    const { parameters } = make(flags);
    assert.deepEqual([parameters.ZUUL_BRANCH, parameters.ZUUL_REF, parameters.ZUUL_CHANGE_IDS], [branch, ref, ids]);
  });
}

test("any other ref is the build of a branch or tag at a commit", () => {
  const { parameters } = make({ ref: "refs/heads/master", commit: "c".repeat(40) });
  assert.deepEqual(
    [parameters.ZUUL_REFNAME, parameters.ZUUL_NEWREV, "ZUUL_CHANGE" in parameters],
    ["refs/heads/master", "c".repeat(40), false],
  );
});

test("the file is laid over Zuul's parameters, --param over the file", () => {
  const { parameters, functionName } = make({ param: ["A=3=3", "ZUUL_URL="], node: "x" }, '{"A": 1, "B": {"c": [true]}, "ZUUL_NODE": "y"}');
  assert.deepEqual([parameters.A, parameters.B, parameters.ZUUL_URL, functionName], ["3=3", { c: [true] }, "", "build:unit:y"]);
});

test("a literal IPv6 server keeps its brackets", () => {
  assert.equal(make({ server: "[::1]" }).server, "[::1]:4730");
});

for (const [why, flags, file, message] of [
  ["a change without patchset", { change: "1234" }, undefined, /--change 1234: .*NUMBER,PATCHSET/],
  ["a tag without commit", { ref: "refs/tags/1.0" }, undefined, /--ref refs\/tags\/1\.0 needs --commit.*git ls-remote/],
  ["a commit of nothing", { commit: "abc" }, undefined, /--commit needs --ref or --change/],
  ["a parameter without value", { param: ["A"] }, undefined, /--param A: .*NAME=VALUE/],
  ["a parameter without name", { param: ["=A"] }, undefined, /--param =A: .*NAME=VALUE/],
  ["a unique that gearmand would cut", { unique: "u".repeat(64) }, undefined, /--unique: .*63/],
  ["a unique with a blank", { unique: "a b" }, undefined, /--unique/],
  ["a node label with a blank", { node: "a b" }, undefined, /ZUUL_NODE/],
  ["a server that is none", { server: "a:b:c" }, undefined, /"a:b:c" is no Gearman server/],
  ["a file that is no JSON", {}, "{", /--params-file: not JSON, it ends too early/],
  ["a file with a comma too many", {}, '{"A": 1,}', /--params-file: not JSON at character 9/],
  ["a node label that is a list", {}, '{"ZUUL_NODE": [1.0]}', /ZUUL_NODE is \[1\.0\]: write the node label as text/],
  ["a ref that is HEAD", { ref: "HEAD", commit: "c".repeat(40) }, undefined, /--ref HEAD: .*git ls-remote --symref URL HEAD/],
  ["a file that is no object", {}, "[1]", /--params-file: .*object/],
] as const) {
  test(`refuses ${why} and says what to write`, () => {
    assert.throws(
      () => make(flags, file),
      (error) => error instanceof InputError && message.test(error.message),
    );
  });
}

test("numbers of the file go out as they are written, NaN among them", () => {
  const file = '{"A": 2.0, "B": [1e-07, 18446744073709551616], "C": NaN, "D": -Infinity, "ZUUL_NODE": 7, "__proto__": {"E": 1.10}}';
  const { payload, functionName } = makeSubmitRequest("unit", FLAGS, file, FRESH);
  assert.ok(payload.endsWith(`, ${file.slice(1)}`), payload);
  assert.equal(functionName, "build:unit:7");
});

for (const jobName of ["gate-c++-unit", "gate-py27,py35", "gate-docs(html)", "$(id)", "тест", "-", '"'.repeat(300)]) {
  test(`asks for the job ${jobName.slice(0, 20)}, a name that Zuul accepts`, () => {
    assert.equal(makeSubmitRequest(jobName, FLAGS, undefined, FRESH).functionName, `build:${jobName}`);
  });
}

for (const jobName of ["", "build:unit", "a b", "a\n", "a\0"]) {
  test(`refuses the job name ${JSON.stringify(jobName)}`, () => {
    assert.throws(() => make({}, undefined, jobName), /JOB .*without build:/);
  });
}
