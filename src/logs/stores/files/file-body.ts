import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { readTurn } from "../disk-turns.ts";

/** What is read at once, and handed on. */
const READ_BYTES = 256 * 1024;

/** The bytes of a file from `start` up to before `end`; closes the file at the end, or when it is destroyed. */
export function readFileBody(file: FileHandle, start: number, end: number): Readable {
  let at = start;
  let reading: Promise<void> = Promise.resolve();
  return new Readable({
    highWaterMark: READ_BYTES,
    read() {
      const readOn = async () => {
        const length = Math.min(READ_BYTES, end - at);
        const { buffer, bytesRead } = await readTurn(() => file.read(Buffer.allocUnsafe(length), 0, length, at));
        at += bytesRead;
        if (bytesRead > 0) this.push(buffer.subarray(0, bytesRead));
        if (bytesRead === 0 || at >= end) this.push(null);
      };
      reading = readOn().catch((error) => void this.destroy(error));
    },
    destroy(error, callback) {
      // Not under a read.
      reading
        .then(() => file.close())
        .then(
          () => callback(error),
          (thrown) => callback(error ?? thrown),
        );
    },
  });
}
