import type { CheckResult } from "../../../src/core/checks/check-result.ts";
import { LineTimes } from "../../../src/core/checks/line-times.ts";
import { LogChecks } from "../../../src/core/checks/log-checks.ts";
import { makeTask } from "../objects/test-tasks.ts";
import { GrownLog } from "./grown-log.ts";

/** A log of these lines, each with the second at which its node has read it, and what a task's checks find in it. */
export function sampleChecks(
  checks: readonly object[],
  lines: readonly (readonly [second: number, line: string])[],
): { log: GrownLog; results: CheckResult[] } {
  const times = new LineTimes();
  for (const [index, [second]] of lines.entries()) times.note(index + 1, Date.parse("2026-11-28T09:41:10Z") + second * 1000);
  const text = lines.map(([, line]) => `${line}\n`).join("");
  const run = new LogChecks(makeTask({ checks: [...checks] }).spec.checks ?? [], { times });
  run.write(Buffer.from(text));
  const results = run.end({ artifacts: new Map(), junit: undefined }).map(({ result }) => result);
  const log = new GrownLog(text);
  log.end();
  return { log, results };
}
