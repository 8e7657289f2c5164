// A reporter of `node --test` that writes, as it comes to know it, which test files have passed and which have failed.
import type { TestEvent } from "node:test/reporters";

/** For `--test-reporter`. */
export const FILE_OUTCOMES_REPORTER = import.meta.filename;

export default async function* reportFileOutcomes(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    const file = data && "file" in data ? data.file : undefined;
    if (file === undefined) continue;
    // A file's summary is of its tests alone: that its process ended badly comes after it, as a failure.
    if (type === "test:summary") yield `${data.success ? "passed" : "failed"} ${file}\n`;
    if (type === "test:fail") yield `failed ${file}\n`;
  }
}

/** Of what the reporter has written: the files that ran to their end and in which nothing failed. Of one that was cut off nothing is known. */
export function parsePassedFiles(outcomes: string): Set<string> {
  const lines = outcomes.split("\n").map((line) => line.split(/ (.*)/s));
  const filesThat = (outcome: string) => new Set(lines.flatMap(([first, file]) => (first === outcome && file ? [file] : [])));
  return filesThat("passed").difference(filesThat("failed"));
}
