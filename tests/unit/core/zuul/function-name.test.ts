import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseFunctionName, readBuildFunction, renderFunctionName } from "../../../../src/core/zuul/function-name.ts";

describe("parseFunctionName", () => {
  const rows: [string, ReturnType<typeof parseFunctionName>][] = [
    ["build:gate-unit", { name: "build:gate-unit", jobName: "gate-unit" }],
    ["build:gate-unit:bionic", { name: "build:gate-unit:bionic", jobName: "gate-unit", nodeLabel: "bionic" }],
    ["build:gate-unit:a:b", { name: "build:gate-unit:a:b", jobName: "gate-unit", nodeLabel: "a:b" }],
    ["build:gate-unit:", { name: "build:gate-unit:", jobName: "gate-unit", nodeLabel: "" }],
    ["build:", undefined],
    ["build::bionic", undefined],
    ["stop:manager", undefined],
    ["gate-unit", undefined],
    ["", undefined],
  ];
  for (const [name, parsed] of rows) test(`reads ${JSON.stringify(name)}`, () => assert.deepEqual(parseFunctionName(name), parsed));
});

test("a function that is no build's counts as a job of that name", () => {
  assert.deepEqual(readBuildFunction("stop:manager"), { name: "stop:manager", jobName: "stop:manager" });
  assert.deepEqual(readBuildFunction("build:unit:bionic"), { name: "build:unit:bionic", jobName: "unit", nodeLabel: "bionic" });
});

test("renderFunctionName writes what parseFunctionName reads", () => {
  assert.equal(renderFunctionName("unit"), "build:unit");
  assert.equal(renderFunctionName("unit", "bionic"), "build:unit:bionic");
});
