// `npm run bench`: measures this program. Each bench has a file of its own and a line in BENCHES.
import { Command } from "commander";
import { coerceError, TurboHipsterError } from "../../src/runtime/errors.ts";
import type { Bench } from "./bench-world.ts";
import { checkoutBench } from "./checkout/checkout.ts";
import { checksBench } from "./checks/checks.ts";
import { gearmanBench } from "./gearman/gearman.ts";
import { idleBench } from "./idle.ts";
import { logsBench } from "./logs/logs.ts";
import { matrixBench } from "./matrix/matrix.ts";
import { overheadBench } from "./overhead/overhead.ts";
import { recordingBench } from "./recording/recording.ts";
import { scaleBench } from "./scale/scale.ts";
import { stopBench } from "./stop/stop.ts";

const BENCHES: readonly Bench[] = [
  overheadBench,
  idleBench,
  gearmanBench,
  scaleBench,
  stopBench,
  logsBench,
  recordingBench,
  checkoutBench,
  matrixBench,
  checksBench,
];

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    if (!interruption.signal.aborted) log(`${signal}: taking down what was started`);
    interruption.abort(new TurboHipsterError("TH_INTERRUPTED", `interrupted by ${signal}`));
  });
}

function log(line: string): void {
  console.error(`[${(performance.now() / 1000).toFixed(0).padStart(4)} s] ${line}`);
}

const program = new Command("npm run bench --").description(
  "Measures this program. Progress goes to standard error, the figures to standard output.",
);
for (const bench of BENCHES) {
  const command = program
    .command(bench.name)
    .description(bench.description)
    .option("--json", "print one JSON object instead of text")
    .action(async ({ json, ...flags }: Record<string, unknown>) => {
      const report = await bench.run(flags, { signal: interruption.signal, log });
      console.log(json ? JSON.stringify(report.json) : report.text);
      if (report.isFailed) process.exitCode = 1;
    });
  bench.configure(command);
}

try {
  await program.parseAsync();
} catch (thrown) {
  const error = coerceError(thrown);
  // Timers and requests reject with an error of their own when the signal aborts.
  const isInterruption = interruption.signal.aborted && (error === interruption.signal.reason || error.name === "AbortError");
  if (isInterruption) console.error(coerceError(interruption.signal.reason).message);
  else console.error(error instanceof TurboHipsterError ? error.message : error);
  process.exitCode = interruption.signal.aborted ? 130 : 1;
}
