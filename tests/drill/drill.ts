// `npm run drill`: the operator's replicas among all that can go wrong around them; see docs/drill.md.
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { coerceError } from "../../src/runtime/errors.ts";
import { wholeNumber } from "../support/whole-number.ts";
import { auditReport, isPassed } from "./audit/drill-audit.ts";
import { type DrillReport, openReport } from "./audit/drill-report.ts";
import { renderSummary } from "./audit/drill-summary.ts";
import { FAULT_KINDS, type FaultKind } from "./faults/fault-plan.ts";
import { runDrill } from "./run-drill.ts";

interface DrillFlags {
  faults: number;
  seed: number;
  resume: number;
  replicas: number;
  every: number;
  buildsEvery: number;
  kinds?: FaultKind[];
  cluster?: string;
  report?: string;
}

const END_GRACE_MS = 3000;
/** Lines of the replicas' logs about one build that are shown with a problem. */
const MOST_LOG_LINES = 60;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("must be a number above 0.");
  return value;
}

async function drill(flags: DrillFlags): Promise<void> {
  if (flags.resume >= flags.faults) throw new Error(`--resume ${flags.resume} is behind the plan's last fault; it has ${flags.faults}`);
  const path = resolve(flags.report ?? join(tmpdir(), "turbo-hipster-drill", `seed-${flags.seed}.jsonl`));
  const logs = join(path.replace(/(\.jsonl)?$/, ".logs"), new Date().toISOString().replaceAll(":", "-"));
  const report = openReport(path);
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => interrupted.abort(new Error(`${signal}: --seed ${flags.seed} --resume ${nextFault(report)} goes on`)));
  }
  console.error(`the report is ${path}`);
  await runDrill({
    plan: { seed: flags.seed, faults: flags.faults, replicas: flags.replicas, everyMs: flags.every * 1000 },
    ...{ from: flags.resume, buildEveryMs: flags.buildsEvery * 1000, clusterName: flags.cluster ?? `drill-${flags.seed}` },
    ...(flags.kinds === undefined ? {} : { kinds: flags.kinds }),
    ...{ report, logs, signal: interrupted.signal, log: (line: string) => console.error(line) },
  });
  const audit = auditReport(report.entries);
  for (const remark of audit.remarks) console.error(`remark: ${remark}`);
  for (const problem of audit.problems) console.error([problem, ...readLogs(logs, problem)].join("\n"));
  console.error(`report: ${path}\nlogs of the replicas: ${logs}`);
  console.log(renderSummary(report.entries));
  process.exitCode = isPassed(audit) ? 0 : 1;
}

/** The first fault that was not made yet. */
function nextFault({ entries }: DrillReport): number {
  const last = entries.findLast((entry) => entry.type === "fault" || entry.type === "run");
  return last?.type === "fault" ? last.fault.index + 1 : last?.type === "run" ? last.from : 0;
}

/** What the replicas have logged about the builds that a problem names. */
function readLogs(logs: string, problem: string): string[] {
  const numbers = [...new Set(problem.match(/\bdrill-[abc]-[0-9a-f]{16}\b/g))];
  return readdirSync(logs)
    .flatMap((file) => {
      const lines = readFileSync(join(logs, file), "utf8").split("\n");
      return lines.filter((line) => numbers.some((number) => line.includes(number))).map((line) => `  ${file} ${line}`);
    })
    .slice(-MOST_LOG_LINES);
}

const program = new Command("npm run drill --")
  .description(
    "Two operator replicas on a real cluster while everything around them fails at random; compares what Zuul was told with what pods did.",
  )
  .option("--faults <n>", "faults in the plan", wholeNumber(1), 100)
  .option("--seed <s>", "of the plan (default: a new one)", wholeNumber(0), randomInt(1_000_000))
  .option("--resume <k>", "begin with fault K of the plan, in the same report", wholeNumber(0), 0)
  .option("--replicas <n>", "operator processes", wholeNumber(1), 2)
  .option("--every <seconds>", "mean time between two faults", positive, 5)
  .option("--builds-every <seconds>", "time between two launches by Zuul", positive, 2.5)
  .addOption(new Option("--kinds <kind...>", "make only these faults of the plan").choices(FAULT_KINDS))
  .option("--cluster <name>", "of the cluster that is brought up and taken down (default: drill-SEED)")
  .option("--report <file>", "where the report goes; it is appended to (default: in the directory for temporary files)")
  .action(drill);

try {
  await program.parseAsync();
} catch (thrown) {
  console.error(coerceError(thrown).message);
  process.exitCode = 1;
}
// All that was made is gone by now; a socket that a fault has left half dead in this process must not keep it from ending.
setTimeout(() => process.exit(), END_GRACE_MS).unref();
