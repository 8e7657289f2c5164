import { existsSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { coerceError, InputError, TurboHipsterError } from "../../src/runtime/errors.ts";
import { withFileLock } from "../../tools/machine/file-lock.ts";
import { INSTEAD, requireClusterHost } from "../../tools/machine/prerequisites.ts";
import { clusterPaths } from "../local/cluster-paths.ts";
import { removeContextTarget } from "./context-target.ts";
import { type DemoOptions, parseDemoOptions } from "./demo-options.ts";
import { type DemoPaths, type DemoRecord, demoPaths, makeRecord, readRecord, removeRecord, writeRecord } from "./demo-record.ts";
import { removeLocalTarget } from "./demo-target.ts";
import { readExampleTasks } from "./example-tasks.ts";
import { endProcess, interruptCommands, isRunning } from "./process-identity.ts";
import { Screen } from "./screen.ts";
import { Show } from "./show.ts";

const INTRODUCTION = `Turbo Hipster runs the builds that Zuul asks for as pods on Kubernetes. This demo plays Zuul: it sends builds to a Gearman server,
the operator takes them, pods run them on a real cluster, and each result comes back as a reviewer would read it.`;

/** A signal that comes within this time of another is the same wish, passed on by several. */
const SAME_SIGNAL_MS = 1_000;

/** The demo was told to end. */
class InterruptedError extends TurboHipsterError {
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM" | "SIGHUP") {
    super("TH_INTERRUPTED", `ended by ${signal === "SIGINT" ? "Ctrl-C" : signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/**
 * One demo at a time of a name. What it makes is in its record before it is made, so that this process, the next demo or --down can take
 * it away. Returns the exit code.
 */
async function main(options: DemoOptions, screen: Screen, stop: AbortController): Promise<number> {
  const paths = demoPaths(options.name);
  // What is wrong with them is better told now than when the cluster is up.
  if (!options.down) readExampleTasks(options.examples, options.image);
  const log = (line: string) => screen.say(line);
  const busy = () => {
    throw new InputError(`a demo named ${paths.name} is at work just now; Ctrl-C in its terminal ends it, --name NAME makes another one`);
  };
  return withFileLock(paths.lock, busy, async () => {
    try {
      const left = readRecord(paths);
      if (options.down) return await down(paths, left, screen);
      screen.print(INTRODUCTION);
      if (left !== null) await clearUp(paths, left, log);
      if (options.context === undefined) requireLocalCluster(paths.name);
      return await perform(options, paths, screen, stop);
    } finally {
      rmSync(paths.lock, { force: true });
    }
  });
}

async function down(paths: DemoPaths, left: DemoRecord | null, screen: Screen): Promise<number> {
  if (left === null) {
    screen.print(`there is no demo named ${paths.name} to take down`);
    return 0;
  }
  await takeDown(paths, left, (line) => screen.say(line));
  return 0;
}

async function clearUp(paths: DemoPaths, left: DemoRecord, log: (line: string) => void): Promise<void> {
  if (left.isKept && left.servers !== null && isRunning(left.servers)) {
    throw new InputError(
      `a demo named ${paths.name} is running already (it was started with --keep)\n  npm run demo -- --down${nameFlag(paths)}   takes it down`,
    );
  }
  log("an earlier demo has left things behind; clearing up");
  await takeDown(paths, left, log);
}

/** Throws InputError where there can't be one, or where one of that name is somebody else's. */
function requireLocalCluster(name: string): void {
  try {
    requireClusterHost();
  } catch (error) {
    throw new InputError(`${coerceError(error).message}\n${INSTEAD}`, { cause: error });
  }
  if (existsSync(clusterPaths(name).directory)) {
    throw new InputError(
      `there is a cluster named ${name} that no demo has made: npm run cluster -- down --name ${name}, or give the demo another --name`,
    );
  }
}

async function perform(options: DemoOptions, paths: DemoPaths, screen: Screen, stop: AbortController): Promise<number> {
  const record = makeRecord(options.context ?? null);
  const remember = (change: Partial<DemoRecord>) => writeRecord(paths, Object.assign(record, change));
  remember({});
  const show = new Show({ options, paths, screen, stop, remember });
  let exitCode: number;
  try {
    exitCode = (await show.run()) ? 0 : 1;
    if (options.keep) {
      await show.keep();
      return exitCode;
    }
    if (process.stdout.isTTY) {
      await show.stayUp();
      if (!(stop.signal.reason instanceof InterruptedError)) throw stop.signal.reason;
    }
  } catch (error) {
    exitCode = tellFailure(error, screen);
  }
  screen.heading("Taking everything down");
  await takeDown(paths, record, (line) => screen.say(line));
  return exitCode;
}

async function takeDown(paths: DemoPaths, record: DemoRecord, log: (line: string) => void): Promise<void> {
  if (record.servers !== null && isRunning(record.servers)) {
    log("ending operator, git daemon and gearmand");
    await endProcess(record.servers);
  }
  if (record.context === null) {
    log(`taking down cluster ${paths.name}`);
    await removeLocalTarget(paths.name, log);
  }
  // A cluster that is not there any more must not be in the way of the next demo; what to do about it is in the error then.
  removeRecord(paths);
  if (record.context !== null && record.madeNamespace) {
    await removeContextTarget(paths.name, record.context, record.madeDefinition, log);
  }
  log("nothing of the demo is left but what was built, in the cache");
}

/** Prints what a person can do something about, and the rest with its stack. Returns the exit code. */
function tellFailure(thrown: unknown, screen: Screen): number {
  const error = coerceError(thrown);
  if (error instanceof InterruptedError) {
    screen.print(`\n${error.message}`);
    return error.exitCode;
  }
  screen.print(screen.style("red", `\nthe demo could not go on: ${error instanceof TurboHipsterError ? error.message : error.stack}`));
  return 1;
}

function nameFlag({ name }: DemoPaths): string {
  return name === "demo" ? "" : ` --name ${name}`;
}

/** The first signal ends the demo in order, the second at once. */
function handleSignals(stop: AbortController): void {
  let firstMs: number | undefined;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      const error = new InterruptedError(signal);
      if (firstMs === undefined) {
        firstMs = performance.now();
        stop.abort(error);
        interruptCommands();
      } else if (performance.now() - firstMs > SAME_SIGNAL_MS) {
        console.error("\nleft half-way; npm run demo -- --down takes down what is still there");
        process.exit(error.exitCode);
      }
    });
  }
  // Whoever read this is gone (npm run demo | head): there is nobody to show anything to.
  process.stdout.on("error", (error) => {
    stop.abort(error);
  });
}

const stop = new AbortController();
const screen = new Screen(process.stdout, process.env);
try {
  const options = parseDemoOptions(process.argv.slice(2));
  handleSignals(stop);
  process.exitCode = await main(options, screen, stop);
} catch (error) {
  process.exitCode = tellFailure(error, screen);
}
