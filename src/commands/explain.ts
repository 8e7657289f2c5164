import { Command } from "commander";
import { InputError } from "../runtime/errors.ts";
import { ApiError, BuildApi } from "./build-api/build-api.ts";
import { DEFAULT_URL, parseBuildPlace } from "./build-api/build-place.ts";
import { renderExplanation } from "./build-api/explanation.ts";
import { REMEDY } from "./logs.ts";

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
    .addHelpText("after", HELP)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .action(async (build: string, flags: Flags) => {
      const interrupt = new AbortController();
      const onSignal = () => interrupt.abort(new InputError("interrupted"));
      process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
      try {
        process.exitCode = await performExplain(build, flags, {
          now: () => new Date(),
          signal: interrupt.signal,
          print: (line) => console.log(line),
          printError: (line) => console.error(line),
        });
      } finally {
        process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      }
    });
}

const HELP = `
The operator is asked at its public port. Without an address of your own for that:
  kubectl --namespace NAMESPACE port-forward service/turbo-hipster 8080:http

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
    if (!(error instanceof ApiError || error instanceof InputError)) throw error;
    printError(`turbo-hipster explain: ${error.message}${error.code === "TH_API_AWAY" ? REMEDY : ""}`);
    return 2;
  }
}
