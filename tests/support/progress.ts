/** Says on standard error what takes long, so that a first run is no silence. */
export function tellProgress(line: string): void {
  process.stderr.write(`${line}\n`);
}
