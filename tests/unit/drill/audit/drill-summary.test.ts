import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReportEntry } from "../../../drill/audit/drill-report.ts";
import { renderSummary } from "../../../drill/audit/drill-summary.ts";

function run(from: number): ReportEntry {
  return { type: "run", atMs: 0, date: `2026-01-0${from + 1}`, seed: 5, from, faults: 3, replicas: 2 };
}

function cut(index: number): ReportEntry {
  const fault = { kind: "link-cut", replica: 0, server: "geard", how: "rst", pick: null, index, atMs: 1 } as const;
  return { type: "fault", atMs: 1000, fault, outcome: "2 connections" };
}

test("a drill's summary has its runs, its faults by kind, what went wrong, and the last line last", () => {
  const over: ReportEntry = { type: "over", atMs: 30_000, troubles: ["fault 2 could not be made\nbecause"] };
  assert.equal(
    renderSummary([run(0), cut(0), cut(1), run(1), cut(1), cut(2), over]),
    `seed 5, 2 replicas, 2026-01-01, 1 + 30 s
gone on with from fault 1, 2026-01-02
faults: link-cut 3
problem: fault 2 could not be made
zuulGaveUp=0 cancelled=0 relaunches=0 unexplainedRelaunches=0 pods=0 nulls=0 unexplainedNulls=0 unearned=0 unjudged=0 orphans=0 unstored=0 maimed=0 interrupted=0
faults=3 builds=0 lost=0 wrong=0 hanging=0 rerun=0 refRerun=0 beyondAttempts=0`,
  );
});
