export interface FileRun {
  exitCode: number;
  /** Those of the files that ran to their end and in which nothing failed. */
  passed: ReadonlySet<string>;
}

/**
 * Runs test files, and those that did not pass once more: whole, because tests of a scene build on each other. Returns whether all passed in
 * the end; `log` is told of both tries.
 */
export async function tryTwice(
  files: readonly string[],
  run: (files: readonly string[], isSecond: boolean) => Promise<FileRun>,
  log: (line: string) => void,
): Promise<boolean> {
  const first = await run(files, false);
  if (first.exitCode === 0) return true;
  const failed = files.filter((file) => !first.passed.has(file));
  const again = failed.length > 0 ? failed : files;
  log(`FAILED: ${again.join(", ")}; run once more, whole, one after another: a machine with too much to do looks like this too`);
  const second = await run(again, true);
  for (const file of again)
    log(second.passed.has(file) ? `passed AT THE SECOND TRY ONLY, look at what failed above: ${file}` : `FAILED TWICE: ${file}`);
  return second.exitCode === 0;
}
