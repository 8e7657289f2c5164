import { auditReport, renderLastLine, renderOtherColumns } from "./drill-audit.ts";
import { type ReportEntry, splitRuns } from "./drill-report.ts";

/** A seed's report in a few lines, the last one last. */
export function renderSummary(entries: readonly ReportEntry[]): string {
  const runs = splitRuns(entries);
  const first = runs[0]?.run;
  if (first === undefined) throw new Error("the report has no run");
  const audit = auditReport(entries);
  const kinds = new Map<string, number>();
  runs.forEach(({ entries: own }, index) => {
    const until = runs[index + 1]?.run.from ?? Number.POSITIVE_INFINITY;
    for (const entry of own) {
      if (entry.type === "fault" && entry.fault.index < until) kinds.set(entry.fault.kind, (kinds.get(entry.fault.kind) ?? 0) + 1);
    }
  });
  const seconds = runs.map(({ entries: own }) => Math.round((own.at(-1)?.atMs ?? 0) / 1000)).join(" + ");
  return [
    `seed ${first.seed}, ${first.replicas} replicas, ${first.date}, ${seconds} s`,
    ...runs.slice(1).map(({ run }) => `gone on with from fault ${run.from}, ${run.date}`),
    `faults: ${[...kinds]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ")}`,
    ...audit.problems.map((problem) => `problem: ${problem.split("\n", 1)[0]}`),
    ...audit.remarks.map((remark) => `remark: ${remark.split("\n", 1)[0]}`),
    renderOtherColumns(audit.counts),
    renderLastLine(audit.counts),
  ].join("\n");
}
