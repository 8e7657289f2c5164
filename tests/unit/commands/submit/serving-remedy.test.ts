import assert from "node:assert/strict";
import { test } from "node:test";
import { renderServingRemedy } from "../../../../src/commands/submit/serving-remedy.ts";

const ROWS: [what: string, functionName: string, registered: string[], remedy: RegExp][] = [
  ["nothing is served", "build:unit", ["stop:x"], /knows no build at all: is the operator running\?$/],
  ["other jobs are served", "build:unit", ["build:docs", "build:docs:7", "stop:x"], /build:docs, build:docs:7: .*unit in spec\.jobs\?$/],
  ["many other jobs are served", "build:unit", ["1", "2", "3", "4", "5", "6"].map((name) => `build:${name}`), /build:5, \.\.\.: /],
  [
    "the job is served with other labels",
    "build:unit:bionic",
    ["build:docs", "build:unit", "build:unit:7", "build:unit:jammy"],
    /^unit is served with the node labels 7, jammy only: .*bionic in spec\.nodeLabels\?$/,
  ],
  [
    "the job is served without labels",
    "build:unit:bionic",
    ["build:unit", "build:unit2:bionic"],
    /^unit is served without a node label only: .*bionic in spec\.nodeLabels\?$/,
  ],
];
for (const [what, functionName, registered, remedy] of ROWS) {
  test(`the remedy when ${what}`, () => assert.match(renderServingRemedy(functionName, registered), remedy));
}
