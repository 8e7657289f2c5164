import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../src/runtime/errors.ts";
import { cacheDirectory, markUsed, removeUnused } from "../../tools/machine/cache-directory.ts";
import { withFileLock } from "../../tools/machine/file-lock.ts";
import { CommandError, lastLines, runCommand } from "../../tools/machine/run-command.ts";
import { tellProgress } from "./progress.ts";

export interface GoProgram {
  /** For people: "an S3 server". */
  title: string;
  /** Of the file, and of its place in the cache unless `cache` says another. */
  name: string;
  cache?: string;
  /** The directory of the go.mod and go.sum that pin it, and of its own files in Go, should it have some. */
  sources: string;
  package: string;
  tags?: readonly string[];
}

/**
 * A program that tests need, built once from a pinned Go module into the cache: its path. Others wait while it is built. Throws InputError with
 * the remedy where there is no usable Go.
 */
export async function goProgram(wanted: GoProgram): Promise<string> {
  const { name, sources, cache = name, tags = [] } = wanted;
  const hash = createHash("sha256");
  const files = readdirSync(sources).filter((name) => /^go\.(mod|sum)$|\.go$/.test(name));
  for (const file of files.sort()) hash.update(readFileSync(join(sources, file))).update("\0");
  hash.update(await go(wanted, ["env", "GOVERSION", "GOOS", "GOARCH"])).update(tags.join());
  const directory = cacheDirectory(cache, hash.digest("hex").slice(0, 16));
  const program = join(directory, name);
  if (!existsSync(program)) {
    mkdirSync(directory, { recursive: true });
    const waiting = () => tellProgress(`waiting for another build of ${wanted.title} to end`);
    await withFileLock(cacheDirectory(cache, "lock"), waiting, async () => {
      if (existsSync(program)) return;
      tellProgress(`building ${wanted.title} from pinned Go modules, once for ${directory}`);
      const flags = ["-buildvcs=false", "-trimpath", "-ldflags=-s -w", ...(tags.length > 0 ? [`-tags=${tags.join()}`] : [])];
      await go(wanted, ["build", ...flags, "-o", `${program}.unfinished`, wanted.package]);
      renameSync(`${program}.unfinished`, program);
      removeUnused(cacheDirectory(cache));
    });
  }
  markUsed(directory);
  return program;
}

/** Where the files of a module are that the program is made of, such as `sigs.k8s.io/karpenter`; it is fetched where it is missing. */
export async function goModuleDirectory(wanted: GoProgram, module: string): Promise<string> {
  return JSON.parse(await go(wanted, ["mod", "download", "-json", module])).Dir;
}

async function go({ sources, title }: GoProgram, args: readonly string[]): Promise<string> {
  try {
    return await runCommand("go", args, { cwd: sources, env: { CGO_ENABLED: "0", GOWORK: "off" } });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const needed = readFileSync(join(sources, "go.mod"), "utf8").match(/^go (\S+)/m)?.[1];
    throw new InputError(
      `${title} of the tests is built with Go ${needed} or later (https://go.dev/dl), its module proxy or a filled module cache:\n` +
        lastLines(error.stderr, 10),
      { cause: error },
    );
  }
}
