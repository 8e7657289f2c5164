import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { coerceError, InputError } from "../runtime/errors.ts";
import { helpNotes } from "./help-notes.ts";
import { collect, parseTimeout } from "./option-parsers.ts";
import { renderEventJson, renderEventLine, SUBMIT_EXIT_CODES, type SubmitEvent, submitExitCode } from "./submit/submit-event.ts";
import type { SubmitFlags } from "./submit/submit-request.ts";
import { type Paint, PLAIN, paintFor } from "./terminal-colour.ts";

interface Flags extends SubmitFlags {
  paramsFile?: string;
  json?: boolean;
}

/** The world that the command works in; the process's own unless a test says otherwise. */
interface SubmitCommandWorld {
  clock: Clock;
  /** Aborts at the first interrupt: stop the build. */
  stop: AbortSignal;
  /** Aborts at the second: leave at once. */
  leave: AbortSignal;
  /** Of what is printed; default: no. */
  hasColours?: boolean;
  /** Of the last line; default: no colours. */
  paint?: Paint;
  print(line: string): void;
  printError(line: string): void;
}

/** `turbo-hipster submit JOB`: is Zuul for one build. Exit codes: `SUBMIT_EXIT_CODES`. */
export function submitCommand(): Command {
  return new Command("submit")
    .description("be Zuul for one build: send the request, follow it, read its result as Zuul does")
    .argument("<job>", "Zuul's name of the job, without build:")
    .option("--server <host:port>", "the Gearman server", "127.0.0.1:4730")
    .option("--project <name>", "ZUUL_PROJECT", "example/project")
    .option("--pipeline <name>", "ZUUL_PIPELINE", "check")
    .option("--zuul-url <url>", "ZUUL_URL, below which the project is fetched (default: null)")
    .option("--change <number,patchset>", "the build of a change; --branch alone makes it one too, 1,1")
    .option("--branch <name>", "the change's branch (default: that of --ref, or master)")
    .option("--ref <ref>", "ZUUL_REF: refs/zuul/BRANCH/Z... of a change (default: a fresh one), or a branch or tag")
    .option("--commit <sha>", "ZUUL_COMMIT (a branch's or tag's build needs it)")
    .option("--node <label>", "ZUUL_NODE: asks for build:JOB:LABEL")
    .option("--params-file <file>", "JSON object laid over Zuul's parameters")
    .option("--param <name=value>", "one more parameter, laid over all others (repeatable)", collect)
    .option("--unique <id>", "ZUUL_UUID and the request's unique (default: a fresh uuid)")
    .option("--wait", "submit it even if no worker has ever registered the function")
    .option("--timeout <duration>", "stop the build when it has no result after this long, e.g. 90s or 1h30m", parseTimeout)
    .option("--json", "print one JSON object a line for each event instead of text")
    .addHelpText("after", helpNotes(HELP))
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : SUBMIT_EXIT_CODES.noResult))
    .action(async (jobName: string, flags: Flags) => {
      const stop = new AbortController();
      const leave = new AbortController();
      const onSignal = () => (stop.signal.aborted ? leave : stop).abort();
      // A reader that goes away (submit | head) must not end the build's follow-up with an error's exit code.
      const ignoreClosedPipe = (error: NodeJS.ErrnoException) => {
        if (error.code !== "EPIPE") throw error;
      };
      process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
      process.stdout.on("error", ignoreClosedPipe);
      try {
        process.exitCode = await performSubmit(jobName, flags, {
          clock: systemClock,
          stop: stop.signal,
          leave: leave.signal,
          hasColours: process.stdout.isTTY === true,
          paint: paintFor(process.stdout),
          print: (line) => void process.stdout.write(`${line}\n`),
          printError: (line) => console.error(line),
        });
      } finally {
        process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      }
    });
}

const HELP = `
Parameters are those of Zuul 2.6. Without --change, --branch and --ref it is the build of a timer, which has no ref.

Ctrl-C (or SIGTERM) stops the build as Zuul does: a queued one leaves the queue, of a running one the manager is asked
to stop it, and submit waits for its end. Ctrl-C again leaves at once.

The build's log is shown while it runs, each line after a bar, where its page (the url that the worker tells) is to be had
from here; with --json it is not.

--json events, one object a line, each with "event" and "elapsedMs":
  waiting    no worker is connected: why
  submitted  server, function, unique, handle
  started    the worker's number, manager, worker, url
  url        a new url
  step       numerator, denominator, name
  stopping   cause, how, manager, number
  ended      the last one: result (null: none), reason, message, number, url,
             node, exitCode

Exit codes: 0 SUCCESS, 1 any other result, 2 no result (the worker gave none, nobody serves the job, the connection was
lost, it timed out or was withdrawn, or these arguments cannot be used)`;

/** Does the command's work and returns its exit code. */
export async function performSubmit(jobName: string, flags: Flags, world: SubmitCommandWorld): Promise<number> {
  const [{ makeSubmitRequest }, { submitBuild }, { LiveLog }] = await Promise.all([
    import("./submit/submit-request.ts"),
    import("./submit/submit-build.ts"),
    import("./submit/live-log.ts"),
  ]);
  try {
    const fileParameters = flags.paramsFile === undefined ? undefined : await readText(flags.paramsFile);
    const uuid = randomUUID().replaceAll("-", "");
    const request = makeSubmitRequest(jobName, flags, fileParameters, { uuid, refName: `Z${randomUUID().replaceAll("-", "")}` });
    const { paint = PLAIN } = world;
    const startedMs = world.clock.monotonicMs();
    const tell = (event: SubmitEvent, elapsedMs: number) => {
      if (flags.json) world.print(renderEventJson(event, elapsedMs));
      else if (event.event === "ended" && event.result === null) world.printError(renderEventLine(event, elapsedMs));
      else world.print(renderEventLine(event, elapsedMs, paint));
    };
    const { clock, hasColours = false, print, printError } = world;
    const log = flags.json ? undefined : new LiveLog({ clock, hasColours, print, onProblem: printError });
    let endedMs = 0;
    const end = await submitBuild(request, {
      clock,
      stop: world.stop,
      leave: world.leave,
      onEvent(event) {
        endedMs = clock.monotonicMs() - startedMs;
        // Last, when the log has come to its end.
        if (event.event !== "ended") tell(event, endedMs);
        if ((event.event === "started" || event.event === "url") && event.url !== null) log?.begin(event.url);
      },
    });
    if (world.leave.aborted) await log?.leave();
    else await log?.end();
    tell(end, endedMs);
    return submitExitCode(end);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    world.printError(`turbo-hipster submit: ${error.message}`);
    return SUBMIT_EXIT_CODES.noResult;
  }
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (error) {
    throw new InputError(`--params-file ${path}: ${coerceError(error).message}`, { cause: error });
  }
}
