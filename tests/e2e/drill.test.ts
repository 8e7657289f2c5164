import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { auditReport, isPassed, renderLastLine, renderOtherColumns } from "../drill/audit/drill-audit.ts";
import { openReport } from "../drill/audit/drill-report.ts";
import { FAULT_KINDS } from "../drill/faults/fault-plan.ts";
import { runDrill } from "../drill/run-drill.ts";

/** Its first 20 faults, a minute and a half of them, are of every kind. */
const SEED = 29008;
const FAULTS = 20;
/** Well above what it takes: a minute and a half more until the last build has ended, on a machine with much to do. */
const LIMIT_MS = 540_000;

test("no build is lost, wrong, hanging or run again while two replicas and all around them fail", { timeout: LIMIT_MS }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "th-drill-test-"));
  try {
    const report = openReport(join(directory, "report.jsonl"));
    const lines: string[] = [];
    await runDrill({
      plan: { seed: SEED, faults: FAULTS, replicas: 2, everyMs: 5000 },
      ...{ from: 0, buildEveryMs: 2500, clusterName: `drill-${process.pid}`, report, logs: join(directory, "logs"), signal: t.signal },
      log: (line) => lines.push(line),
    });
    const audit = auditReport(report.entries);
    const line = `${renderOtherColumns(audit.counts)}\n${renderLastLine(audit.counts)}`;
    t.diagnostic(line);
    assert.ok(isPassed(audit), [...lines, ...audit.problems, line].join("\n"));
    assert.equal(audit.counts.faults, FAULTS);
    const kinds = new Set(report.entries.flatMap((entry) => (entry.type === "fault" ? [entry.fault.kind] : [])));
    assert.deepEqual(kinds, new Set(FAULT_KINDS));
    // Else there was nothing to harm.
    assert.ok(audit.counts.builds >= 20 && audit.counts.pods >= audit.counts.builds / 2, line);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
