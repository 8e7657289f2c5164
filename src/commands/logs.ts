import { once } from "node:events";
import { Command } from "commander";
import { type Clock, systemClock } from "../runtime/clock.ts";
import { InputError } from "../runtime/errors.ts";
import { REACH_HELP, renderApiFailure } from "./build-api/api-help.ts";
import { BuildApi } from "./build-api/build-api.ts";
import { DEFAULT_URL, parseBuildPlace } from "./build-api/build-place.ts";
import { readLog } from "./build-api/log-reader.ts";
import { renderTerminalLine, renderTerminalNote } from "./build-api/terminal-line.ts";
import { helpNotes } from "./help-notes.ts";
import { runInterruptible } from "./interruptible.ts";

interface Flags {
  url: string;
  container?: string;
  follow?: boolean;
}

/** The world that the command works in; the process's own unless a test says otherwise. */
export interface LogsWorld {
  clock: Clock;
  signal: AbortSignal;
  /** Whether a person looks at it. */
  isTerminal: { out: boolean; error: boolean };
  /** Resolves when more may be written. */
  write(chunk: string | Uint8Array): Promise<void>;
  printError(line: string): void;
}

/** `turbo-hipster logs BUILD`: a build's log in the terminal. */
export function logsCommand(): Command {
  return new Command("logs")
    .description("print a build's log, as its page shows it; with --follow until it has ended")
    .argument("<build>", "the build's number, or the address of its page")
    .option("--url <url>", "the operator's public port", DEFAULT_URL)
    .option("--container <name>", "of this container (default: the test's)")
    .option("-f, --follow", "go on while it grows", false)
    .addHelpText("after", helpNotes(HELP))
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action((build: string, flags: Flags) => {
      process.stdout.on("error", (error: NodeJS.ErrnoException) => {
        // Whoever reads it has gone (logs | head): that is no failure.
        if (error.code !== "EPIPE") throw error;
        process.exit(0);
      });
      return runInterruptible((signal) =>
        performLogs(build, flags, {
          clock: systemClock,
          signal,
          isTerminal: { out: process.stdout.isTTY === true, error: process.stderr.isTTY === true },
          async write(chunk) {
            if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
          },
          printError: (line) => console.error(line),
        }),
      );
    });
}

const HELP = `
${REACH_HELP}

In a terminal a log has its colours, and nothing in it moves the cursor. To a file or a pipe it goes byte for byte, without
--follow; with --follow lines come as text, the long ones up to 8 KiB. What is said about the log, as that something of it is
missing, goes to standard error, in reversed colours where that is a terminal.

Exit codes: 0 printed, 2 no such build or log, no answer, or unusable arguments`;

/** Does the command's work and returns its exit code. */
export async function performLogs(build: string, flags: Flags, world: LogsWorld): Promise<0 | 2> {
  const { clock, signal, isTerminal, write, printError } = world;
  try {
    const api = new BuildApi(parseBuildPlace(build, flags.url), signal);
    const container = await chooseContainer(api, flags, world);
    if (!flags.follow && !isTerminal.out) {
      for await (const chunk of (await api.raw(container)) ?? []) await write(chunk);
      return 0;
    }
    for await (const items of readLog(api, { container, isFollowed: flags.follow ?? false, clock, signal })) {
      let text = "";
      for (const item of items) {
        if (item.kind === "line") text += `${renderTerminalLine(item.line, isTerminal.out)}\n`;
        else {
          // Where it stands in a terminal.
          if (text !== "") await write(text);
          text = "";
          printError(renderTerminalNote(item.text, isTerminal.error));
        }
      }
      if (text !== "") await write(text);
    }
    return 0;
  } catch (error) {
    printError(renderApiFailure("logs", error));
    return 2;
  }
}

const LOOK_MS = 1000;

/** The log to print; with `--follow` it is waited for until the container has begun. */
async function chooseContainer(api: BuildApi, { container, follow }: Flags, { clock, signal, printError }: LogsWorld): Promise<string> {
  let isTold = false;
  for (;;) {
    const { logs, standing, words, members } = await api.build();
    if (members) {
      const names = members.map(({ number, dataset }) => `${number} (${dataset})`).join(", ");
      throw new InputError(`this build runs on several datasets, each of which has a log of its own; name one of ${names}`);
    }
    const [first] = container === undefined ? logs : logs.filter((name) => name === container);
    if (first !== undefined) return first;
    if (!follow || standing === "ended") {
      const others = container === undefined || logs.length === 0 ? "" : `; there are those of ${logs.join(", ")}`;
      throw new InputError(`there is no log of ${container ?? "this build"}${others}. ${words.sentence}`);
    }
    if (!isTold) printError(renderTerminalNote(`waits for the log: ${words.sentence}`, false));
    isTold = true;
    await clock.sleep(LOOK_MS, signal);
  }
}
