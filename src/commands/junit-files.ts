import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ARTIFACT_LIMITS } from "../core/artifacts/artifact-limits.ts";
import { ArtifactPatterns } from "../core/artifacts/artifact-patterns.ts";
import type { JunitRecord } from "../core/artifacts/artifacts-record.ts";
import { JunitCounts } from "../core/artifacts/junit-counts.ts";
import { InputError } from "../runtime/errors.ts";
import { JunitReader } from "../uploads/junit-reader.ts";

/** What a task's junit files below a directory say together, counted as the operator does it; undefined where `patterns` match none. */
export async function countJunitFiles(directory: string, patterns: readonly string[]): Promise<JunitRecord | undefined> {
  const counts = new JunitCounts();
  for (const path of await findFiles(directory, new ArtifactPatterns(patterns))) {
    const reader = new JunitReader(path.join("/"));
    for await (const chunk of createReadStream(join(directory, ...path))) reader.write(chunk);
    const read = reader.finish();
    if ("counts" in read) counts.add(read.counts);
    else counts.addUnread(path.join("/"), read.why);
  }
  return counts.record;
}

/** In the order of their names. Links are not followed: a collector leaves them out, too. */
async function findFiles(directory: string, patterns: ArtifactPatterns): Promise<string[][]> {
  const found: string[][] = [];
  const open: string[][] = [[]];
  let looked = 0;
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of await readdir(join(directory, ...folder), { withFileTypes: true })) {
      looked += 1;
      if (looked > ARTIFACT_LIMITS.files)
        throw new InputError(`${directory}: more than ${ARTIFACT_LIMITS.files} files, which are no artifacts`);
      const path = [...folder, entry.name];
      if (entry.isFile() && patterns.matches(path)) found.push(path);
      if (entry.isDirectory() && patterns.mayHold(path)) open.push(path);
    }
  }
  return found.sort((one, other) => (one.join("/") < other.join("/") ? -1 : 1));
}
