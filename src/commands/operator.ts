import { once } from "node:events";
import { Command } from "commander";
import { loadConfig } from "../config.ts";
import { loadKubeClient } from "../kube/client/kube-client.ts";
import { makeLogStore } from "../logs/stores/make-log-store.ts";
import { makeMetrics } from "../metrics/metrics.ts";
import { makeOperator } from "../operator.ts";
import { systemClock } from "../runtime/clock.ts";
import { type LogLevel, makeLogger, type RootLogger } from "../runtime/logger.ts";
import { VERSION } from "../version.ts";
import { helpNotes } from "./help-notes.ts";

interface OperatorFlags {
  config: string;
  kubeconfig?: string;
  context?: string;
}

export function operatorCommand(): Command {
  return new Command("operator")
    .description("take builds from Gearman and run them as Jobs, until SIGTERM or SIGINT")
    .requiredOption("--config <file>", "the configuration, one YAML file")
    .option("--kubeconfig <file>", "kubeconfig to use (default: $KUBECONFIG, in a pod its ServiceAccount, else ~/.kube/config)")
    .option("--context <name>", "context of the kubeconfig (default: its current one)")
    .addHelpText(
      "after",
      helpNotes(`
Signals: at SIGTERM or SIGINT it leaves the taking of builds to another replica, ends those that it has (for at most the configuration's
drain) and exits; at the second one it leaves them to the next replica at once; the third one kills it. SIGUSR2 makes it log debug lines, the next one ends that.

The internal port (http.internal of the configuration) answers /healthz, /readyz and /metrics, for Prometheus.

Exit codes: 0 stopped by a signal, 1 unusable configuration or kubeconfig, or killed by a third signal. A Gearman server or an API server that is down is waited for.

An API server behind a proxy: the kubeconfig's proxy-url, else what HTTPS_PROXY and NO_PROXY say; in a pod it is reached directly.`),
    )
    .action(runOperator);
}

async function runOperator(flags: OperatorFlags): Promise<void> {
  const config = loadConfig(flags.config);
  const logger = makeLogger(config.log.level);
  process.on("SIGUSR2", () => toggleDebug(logger, config.log.level));
  const metrics = makeMetrics({ version: VERSION });
  const client = await loadKubeClient({
    ...(flags.kubeconfig === undefined ? {} : { kubeconfig: flags.kubeconfig }),
    ...(flags.context === undefined ? {} : { context: flags.context }),
    onCall: (call) => metrics.noteCall(call),
  });
  const store = await makeLogStore(config.logs, { clock: systemClock, logger });
  const operator = makeOperator({ config, store, client, clock: systemClock, logger, metrics });
  const [draining, stopping] = [new AbortController(), new AbortController()];
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals > 2) process.exit(1);
    logger.info({ signal }, signals === 1 ? "stops" : "leaves its builds to the next replica");
    (signals === 1 ? draining : stopping).abort();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal);
  try {
    await operator.start();
    logger.info({ ports: operator.ports }, "starts");
    if (!draining.signal.aborted) await once(draining.signal, "abort");
    const left = await operator.drain(stopping.signal);
    if (left > 0) logger.warn({ builds: left }, "leaves builds to the next replica");
  } finally {
    stopping.abort();
    await operator.stop();
    await client.close();
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, onSignal);
  }
  logger.info({}, "stopped");
}

/**
 * A signal, because the internal port is open to the pods of builds; and not SIGUSR1, which opens Node's debugger in a process that does not
 * listen for it yet.
 */
function toggleDebug(logger: RootLogger, configured: LogLevel): void {
  logger.level = logger.level === "debug" ? configured : "debug";
  logger.info({ logLevel: logger.level }, "changes what is logged");
}
