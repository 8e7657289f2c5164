import { writeFile } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import { parseDurationMs } from "../core/kubernetes/duration.ts";
import { plainLine } from "../core/zuul/clean-result-text.ts";
import { collect as collectArtifacts } from "../in-pod/collect/collect.ts";
import { systemClock } from "../runtime/clock.ts";
import { coerceError } from "../runtime/errors.ts";
import { helpNotes } from "./help-notes.ts";
import { collect, parseTimeout } from "./option-parsers.ts";
import { printable } from "./printable.ts";

interface CollectFlags {
  url: URL;
  tokenFile: string;
  directory: string;
  workingDirectory: string;
  path: string[];
  timeout: number;
}

/**
 * `turbo-hipster collect`, what the collector's container of a build runs when its test has ended: sends the artifacts to the operator and
 * returns once they are stored. Its exit code is nobody's result; what went wrong goes to stderr and to `$TH_TERMINATION_FILE`.
 */
export function collectCommand(): Command {
  return new Command("collect")
    .description("send what a test has left to the operator, which stores it (runs in the build's pod)")
    .requiredOption("--url <url>", "where the operator takes the artifacts of this build", parseUrl)
    .requiredOption("--token-file <file>", "holds the token that shows which pod this is")
    .requiredOption("--directory <directory>", "all files in it are kept")
    .option("--working-directory <directory>", "what --path is relative to", "/workspace")
    .option(
      "--path <pattern>",
      "keep what it matches: * any name, ** any directories, a directory all that is in it (repeatable)",
      collect,
      [],
    )
    .option("--timeout <duration>", "for everything, retries included", parseTimeout, parseDurationMs("10m"))
    .addHelpText(
      "after",
      helpNotes(`
Environment:
  TH_TERMINATION_FILE  file that gets one line on failure

Exit codes: 0 stored, 1 not stored, or unusable arguments`),
    )
    .action(async (flags: CollectFlags) => {
      const outcome = await collectArtifacts({
        url: flags.url,
        tokenFile: flags.tokenFile,
        artifactsDirectory: flags.directory,
        workingDirectory: flags.workingDirectory,
        paths: flags.path,
        signal: AbortSignal.timeout(flags.timeout),
        clock: systemClock,
        print: (line) => console.error(printable(line)),
      });
      if (outcome.kind === "stored") {
        const { files, bytes, leftOut } = outcome.counts;
        console.log(`stored ${files} files, ${bytes} bytes; left out ${leftOut}`);
        return;
      }
      const message = plainLine(`artifacts not stored - ${outcome.why}`);
      console.error(message);
      process.exitCode = 1;
      const path = process.env.TH_TERMINATION_FILE;
      if (path) await writeFile(path, `${message}\n`).catch((thrown) => console.error(printable(coerceError(thrown).message)));
    });
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url || !["http:", "https:"].includes(url.protocol)) throw new InvalidArgumentError("write it as http://HOST:PORT/PATH.");
  return url;
}
