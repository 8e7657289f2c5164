import { Command } from "commander";
import { REACH_HELP, renderApiFailure } from "./build-api/api-help.ts";
import { BuildApi } from "./build-api/build-api.ts";
import { DEFAULT_URL, parseBuildPlace } from "./build-api/build-place.ts";
import { renderExplanation } from "./build-api/explanation.ts";
import { helpNotes } from "./help-notes.ts";
import { runInterruptible } from "./interruptible.ts";

interface Flags {
  url: string;
}

interface ExplainWorld {
  now(): Date;
  signal: AbortSignal;
  print(line: string): void;
  printError(line: string): void;
}

/** `turbo-hipster explain BUILD`: what a build's page says. */
export function explainCommand(): Command {
  return new Command("explain")
    .description("tell what became of a build: its verdict and what that means, its steps, what failed, how to run it again")
    .argument("<build>", "the build's number, or the address of its page")
    .option("--url <url>", "the operator's public port", DEFAULT_URL)
    .addHelpText("after", helpNotes(HELP))
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action((build: string, flags: Flags) =>
      runInterruptible((signal) =>
        performExplain(build, flags, {
          now: () => new Date(),
          signal,
          print: (line) => console.log(line),
          printError: (line) => console.error(line),
        }),
      ),
    );
}

const HELP = `
${REACH_HELP}

Programs ask /api/v1/builds/NUMBER there.

Exit codes: 0 told, 2 no such build, no answer, or unusable arguments`;

/** Does the command's work and returns its exit code. */
export async function performExplain(build: string, flags: Flags, { now, signal, print, printError }: ExplainWorld): Promise<0 | 2> {
  try {
    const place = parseBuildPlace(build, flags.url);
    const found = await new BuildApi(place, signal).build();
    for (const line of renderExplanation(found, `${place.base}/builds/${place.number}`, now())) print(line);
    return 0;
  } catch (error) {
    printError(renderApiFailure("explain", error));
    return 2;
  }
}
