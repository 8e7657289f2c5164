import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseFunctionName } from "../../../../src/core/zuul/function-name.ts";

describe("parseFunctionName", () => {
  const rows: [string, ReturnType<typeof parseFunctionName>][] = [
    ["build:gate-unit", { jobName: "gate-unit" }],
    ["build:gate-unit:bionic", { jobName: "gate-unit", nodeLabel: "bionic" }],
    ["build:gate-unit:a:b", { jobName: "gate-unit", nodeLabel: "a:b" }],
    ["build:gate-unit:", { jobName: "gate-unit", nodeLabel: "" }],
    ["build:", undefined],
    ["build::bionic", undefined],
    ["stop:manager", undefined],
    ["gate-unit", undefined],
    ["", undefined],
  ];
  for (const [name, parsed] of rows) test(`reads ${JSON.stringify(name)}`, () => assert.deepEqual(parseFunctionName(name), parsed));
});
