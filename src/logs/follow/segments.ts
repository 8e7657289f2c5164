import { type FileHandle, open, readdir, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { segmentBytesFor, segmentToDrop } from "../../core/logs/kept-range.ts";

interface Segment {
  readonly offset: number;
  size: number;
}

/** What is not kept of a log: `from` is its first byte, `to` the first that is kept again. */
export interface LogCut {
  readonly from: number;
  readonly to: number;
}

const NAME = /^(\d{16})\.log$/;

/** The bytes of a spool: files that are named after the offset of their first byte. Of a long log the middle is thrown away. */
export class Segments {
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #segments: Segment[];
  #file: FileHandle | undefined;

  private constructor(directory: string, limitBytes: number, segments: Segment[]) {
    this.#directory = directory;
    this.#segmentBytes = segmentBytesFor(limitBytes);
    this.#segments = segments;
  }

  static async open(directory: string, limitBytes: number): Promise<Segments> {
    const names = (await readdir(directory)).filter((name) => NAME.test(name)).sort();
    const segments: Segment[] = [];
    for (const name of names) {
      const file = await open(join(directory, name), "r");
      segments.push({ offset: Number.parseInt(name, 10), size: (await file.stat()).size });
      await file.close();
    }
    return new Segments(directory, limitBytes, segments);
  }

  /** Offset behind the last byte. */
  get size(): number {
    const last = this.#segments.at(-1);
    return last === undefined ? 0 : last.offset + last.size;
  }

  get cut(): LogCut | undefined {
    let end = 0;
    for (const { offset, size } of this.#segments) {
      if (offset > end) return { from: end, to: offset };
      end = offset + size;
    }
    return undefined;
  }

  /** Goes back to this offset; what came after it is gone. */
  async truncate(offset: number): Promise<void> {
    while (this.#segments.length > 0 && (this.#segments.at(-1) as Segment).offset > offset) {
      await rm(this.#path(this.#segments.pop() as Segment));
    }
    const last = this.#segments.at(-1);
    if (last !== undefined && last.offset + last.size > offset) {
      await truncate(this.#path(last), offset - last.offset);
      last.size = offset - last.offset;
    }
    // Its place is in the middle, which was thrown away.
    if (this.size < offset) await this.#begin(offset);
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    let left = parts;
    while (left.length > 0) {
      let last = this.#segments.at(-1);
      if (last === undefined || last.size >= this.#segmentBytes) last = await this.#begin(this.size);
      this.#file ??= await open(this.#path(last), "a");
      const [now, later] = splitAt(left, this.#segmentBytes - last.size);
      last.size += await writeAll(this.#file, now);
      left = later;
    }
  }

  /** At most `maxBytes` from `offset` on, from within one segment; where that is cut, what comes after the cut. Empty at the end. */
  async read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Buffer }> {
    const segment = this.#segments.find((each) => each.offset + each.size > offset);
    if (segment === undefined) return { offset: Math.max(offset, this.size), bytes: Buffer.alloc(0) };
    const start = Math.max(offset, segment.offset);
    const length = Math.min(maxBytes, segment.offset + segment.size - start);
    const file = await open(this.#path(segment), "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, start - segment.offset);
      return { offset: start, bytes: buffer.subarray(0, bytesRead) };
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #begin(offset: number): Promise<Segment> {
    await this.close();
    const dropped = segmentToDrop(this.#segments.length);
    if (dropped !== undefined) await rm(this.#path(this.#segments.splice(dropped, 1)[0] as Segment));
    const segment = { offset, size: 0 };
    this.#segments.push(segment);
    this.#file = await open(this.#path(segment), "a");
    return segment;
  }

  #path({ offset }: Segment): string {
    return join(this.#directory, `${String(offset).padStart(16, "0")}.log`);
  }
}

function splitAt(parts: readonly Uint8Array[], bytes: number): [Uint8Array[], Uint8Array[]] {
  const now: Uint8Array[] = [];
  let room = bytes;
  for (const [index, part] of parts.entries()) {
    if (part.length > room) {
      if (room > 0) now.push(part.subarray(0, room));
      return [now, [part.subarray(room), ...parts.slice(index + 1)]];
    }
    now.push(part);
    room -= part.length;
  }
  return [now, []];
}

/** `writev` takes so many at once (IOV_MAX of Linux). */
const MAX_PARTS = 1024;

async function writeAll(file: FileHandle, parts: readonly Uint8Array[]): Promise<number> {
  let total = 0;
  for (let at = 0; at < parts.length; at += MAX_PARTS) {
    let batch = parts.slice(at, at + MAX_PARTS);
    while (batch.length > 0) {
      const { bytesWritten } = await file.writev(batch);
      total += bytesWritten;
      batch = splitAt(batch, bytesWritten)[1];
    }
  }
  return total;
}
