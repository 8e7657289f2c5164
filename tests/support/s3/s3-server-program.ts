import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../../src/runtime/errors.ts";
import { cacheDirectory, markUsed, removeUnused } from "../../../tools/machine/cache-directory.ts";
import { withFileLock } from "../../../tools/machine/file-lock.ts";
import { CommandError, lastLines, runCommand } from "../../../tools/machine/run-command.ts";
import { tellProgress } from "../progress.ts";

const SOURCES = join(import.meta.dirname, "versitygw");

/**
 * Versity's S3 gateway, a real S3 server on a directory, built once from the Go module that versitygw/go.mod pins, into the cache. Takes a minute
 * or two, others wait meanwhile. Throws InputError with the remedy where there is no usable Go.
 */
export async function s3ServerProgram(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(SOURCES, file))).update("\0");
  hash.update(await go(["env", "GOVERSION", "GOOS", "GOARCH"]));
  const directory = cacheDirectory("s3-server", hash.digest("hex").slice(0, 16));
  const program = join(directory, "versitygw");
  if (!existsSync(program)) {
    const waiting = () => tellProgress("waiting for another build of the S3 server to end");
    mkdirSync(directory, { recursive: true });
    await withFileLock(cacheDirectory("s3-server", "lock"), waiting, async () => {
      if (existsSync(program)) return;
      tellProgress(`building an S3 server from pinned Go modules, once for ${directory}`);
      await go([
        "build",
        "-buildvcs=false",
        "-trimpath",
        "-ldflags=-s -w",
        "-o",
        `${program}.unfinished`,
        "github.com/versity/versitygw/cmd/versitygw",
      ]);
      renameSync(`${program}.unfinished`, program);
      removeUnused(cacheDirectory("s3-server"));
    });
  }
  markUsed(directory);
  return program;
}

async function go(args: readonly string[]): Promise<string> {
  try {
    return await runCommand("go", args, { cwd: SOURCES, env: { CGO_ENABLED: "0", GOWORK: "off" } });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const needed = readFileSync(join(SOURCES, "go.mod"), "utf8").match(/^go (\S+)/m)?.[1];
    throw new InputError(
      `the S3 server of the tests is built with Go ${needed} or later (https://go.dev/dl), its module proxy or a filled module cache:\n` +
        lastLines(error.stderr, 10),
      { cause: error },
    );
  }
}
