import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { performCheckout } from "../../../src/commands/checkout.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { TurboHipsterError } from "../../../src/runtime/errors.ts";
import { startGitHttpServer } from "../../support/git/git-http-server.ts";
import { wholeNumber } from "../../support/whole-number.ts";
import type { Bench, BenchReport, BenchWorld } from "../bench-world.ts";
import { makeLargeRepository } from "./large-repository.ts";

interface Flags {
  commits: number;
  files: number;
  rounds: number;
}

export const checkoutBench: Bench = {
  name: "checkout",
  description: "bytes and seconds of a checkout of a large repository from git http-backend: whole, a part of the history, with a cache",
  configure: (command: Command) =>
    command
      .option("--commits <number>", "of the repository", wholeNumber(1), 6000)
      .option("--files <number>", "of its tree", wholeNumber(1), 1500)
      .option("--rounds <number>", "checkouts in each way, in turn", wholeNumber(1), 3),
  run: (flags, world) => runCheckoutBench(flags as unknown as Flags, world),
};

interface Way {
  name: string;
  flags: { depth?: number; filter?: "blob:none"; cache?: string };
}

interface Sample {
  seconds: number;
  receivedBytes: number;
  /** In the workspace, .git and files. */
  leftBytes: number;
}

async function runCheckoutBench({ commits, files, rounds }: Flags, { signal, log }: BenchWorld): Promise<BenchReport> {
  const root = await mkdtemp(join(tmpdir(), "turbo-hipster-bench-checkout-"));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(root, { recursive: true, force: true }));
  log(`making a repository of ${commits} commits and ${files} files`);
  const { change, repository } = await makeLargeRepository(join(root, "git"), { commits, files });
  signal.throwIfAborted();
  let sent = 0;
  const server = await startGitHttpServer(
    join(root, "git"),
    (request, response) => {
      const before = request.socket.bytesWritten;
      response.on("close", () => {
        sent += request.socket.bytesWritten - before;
      });
      return false;
    },
    { config: [["uploadpack.allowFilter", "true"]] },
  );
  stack.defer(() => server.stop());
  const parameters = join(root, "parameters.json");
  const { project, branch, ref, commit } = change;
  const values = { ZUUL_URL: server.url, ZUUL_PROJECT: project, ZUUL_BRANCH: branch, ZUUL_REF: ref, ZUUL_COMMIT: commit };
  await writeFile(parameters, JSON.stringify(values));

  const checkOut = async ({ name, flags }: Way): Promise<Sample> => {
    signal.throwIfAborted();
    const workspace = await mkdtemp(join(root, "workspace-"));
    const lines: string[] = [];
    const startedMs = performance.now();
    const before = sent;
    const code = await performCheckout(
      { path: workspace, allowedUrl: [], timeout: 1_800_000, ...flags },
      {
        environment: { PATH: process.env.PATH, TH_PARAMETERS_FILE: parameters },
        clock: systemClock,
        signal,
        print: (line) => void lines.push(line),
        printError: (line) => void lines.push(line),
      },
    );
    if (code !== 0) throw new TurboHipsterError("TH_BENCH", `the checkout ${name} ended with ${code}:\n${lines.join("\n")}`);
    const sample = { seconds: (performance.now() - startedMs) / 1000, receivedBytes: sent - before, leftBytes: await sizeOf(workspace) };
    await rm(workspace, { recursive: true });
    log(`${name}: ${sample.seconds.toFixed(1)} s, ${(sample.receivedBytes / 1e6).toFixed(1)} MB`);
    return sample;
  };
  const cache = join(root, "cache");
  const ways: Way[] = [
    { name: "whole", flags: {} },
    { name: "cache", flags: { cache } },
    { name: "blob:none", flags: { filter: "blob:none" } },
    { name: "depth 1", flags: { depth: 1 } },
  ];
  const samples = new Map<string, Sample[]>(ways.map(({ name }) => [name, []]));
  await mkdir(cache);
  const first = await checkOut({ name: "cache, the first", flags: { cache } });
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) samples.get(way.name)?.push(await checkOut(way));
  }
  const repositoryBytes = await sizeOf(join(repository.directory, "objects"));
  const found = { "cache, the first": first, ...Object.fromEntries([...samples].map(([name, all]) => [name, medians(all)])) };
  return {
    json: { commits, files, rounds, repositoryBytes, ways: found },
    text: render(repositoryBytes, found, { commits, files, rounds }),
  };
}

function medians(all: readonly Sample[]): Sample {
  const median = (key: keyof Sample) => all.map((sample) => sample[key]).toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
  return { seconds: median("seconds"), receivedBytes: median("receivedBytes"), leftBytes: median("leftBytes") };
}

function render(repositoryBytes: number, found: Record<string, Sample>, { commits, files, rounds }: Flags): string {
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const rows = Object.entries(found).map(
    ([name, { seconds, receivedBytes, leftBytes }]) =>
      `${name.padEnd(18)} ${seconds.toFixed(1).padStart(6)} s  received ${mb(receivedBytes).padStart(9)}  in the workspace ${mb(leftBytes).padStart(9)}`,
  );
  return [`${commits} commits, ${files} files, ${mb(repositoryBytes)} packed; medians of ${rounds}`, ...rows].join("\n");
}

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries.filter((entry) => entry.isFile()).map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
