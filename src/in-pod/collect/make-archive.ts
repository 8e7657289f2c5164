import type { FileHandle } from "node:fs/promises";
import { encodeFrame, type Frame } from "../../core/artifacts/archive-frames.ts";
import { type ArtifactLimits, MAX_LEFT_OUT_NAMED } from "../../core/artifacts/artifact-limits.ts";
import { type CollectedRoot, walk, whyNot } from "./walk.ts";

const READ_BYTES = 256 * 1024;

export interface ArchiveCounts {
  files: number;
  bytes: number;
  leftOut: number;
}

/**
 * All that is to be kept, as one stream; `counts` grow as it is read. Its pieces share memory: one holds until the next is asked for. It never
 * fails for what a test has made.
 */
export async function* makeArchive(
  roots: readonly CollectedRoot[],
  limits: ArtifactLimits,
  counts: ArchiveCounts,
): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  function* leaveOut(name: string, why: string): Generator<Uint8Array> {
    counts.leftOut += 1;
    // A tree may hold millions of links: all are counted.
    if (counts.leftOut <= MAX_LEFT_OUT_NAMED) yield* encodeFrame({ kind: "leftOut", name: name.slice(-1000), why });
  }

  for (const root of roots) {
    for await (const found of walk(root, limits)) {
      if ("why" in found) {
        yield* leaveOut(found.name, found.why);
        continue;
      }
      const { file, name } = found;
      try {
        const { size } = await file.stat();
        if (counts.files >= limits.files) yield* leaveOut(name, `more than ${limits.files} files`);
        else if (counts.bytes + size > limits.totalBytes) yield* leaveOut(name, `${size} bytes, beyond ${limits.totalBytes} in all`);
        else {
          counts.files += 1;
          yield* packFile(name, file, { most: limits.totalBytes - counts.bytes, buffer, counts });
        }
      } finally {
        await file.close();
      }
    }
  }
  yield* encodeFrame({ kind: "end", leftOut: counts.leftOut });
}

/** A file that grows while it is read is read as far as it had grown when it was opened. */
async function* packFile(
  name: string,
  file: FileHandle,
  { most, buffer, counts }: { most: number; buffer: Buffer; counts: ArchiveCounts },
): AsyncGenerator<Uint8Array> {
  yield* encodeFrame({ kind: "file", name });
  const before = await file.stat();
  let left = Math.min(before.size, most);
  let end: Frame | undefined;
  while (left > 0 && !end) {
    try {
      const { bytesRead } = await file.read(buffer, 0, Math.min(READ_BYTES, left), null);
      if (bytesRead === 0) break;
      left -= bytesRead;
      counts.bytes += bytesRead;
      yield* encodeFrame({ kind: "data", bytes: buffer.subarray(0, bytesRead) });
    } catch (error) {
      end = { kind: "fileBroken", why: whyNot(error) };
    }
  }
  const after = await file.stat();
  const isChanged = after.size !== before.size || after.mtimeMs !== before.mtimeMs;
  yield* encodeFrame(end ?? { kind: "fileEnd", isChanged });
}
