import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { segmentBytesFor, segmentToDrop } from "../../core/logs/kept-range.ts";
import { arrangeSegments, parseSegmentName, type SegmentFile, segmentName } from "../../core/logs/spool-files.ts";
import { readTurn } from "../stores/disk-turns.ts";
import { ifMissing } from "./missing-file.ts";

interface Segment extends SegmentFile {
  size: number;
}

/** What is not kept of a log: `from` is its first byte, `to` the first that is kept again. */
export interface LogCut {
  readonly from: number;
  readonly to: number;
}

/**
 * The bytes of a spool: files that are named after the offset of their first byte and their writer. Of a long log the middle is thrown away.
 */
export class Segments {
  readonly #directory: string;
  readonly #limitBytes: number;
  readonly #segments: Segment[];
  /** Files that hold nothing of the log. */
  readonly #stale: SegmentFile[];
  #size: number;
  /** Whose files are written. */
  #writer = 0;
  #file: FileHandle | undefined;

  private constructor(directory: string, limitBytes: number, { kept, stale }: ReturnType<typeof arrangeSegments>) {
    this.#directory = directory;
    this.#limitBytes = limitBytes;
    this.#segments = kept.map((segment) => ({ ...segment }));
    this.#stale = stale;
    const last = kept.at(-1);
    this.#size = last === undefined ? 0 : last.offset + last.size;
  }

  static async open(directory: string, limitBytes: number): Promise<Segments> {
    const files: SegmentFile[] = [];
    for (const name of await readdir(directory)) {
      const parsed = parseSegmentName(name);
      if (parsed === undefined) continue;
      const size = await sizeOf(join(directory, name));
      if (size !== undefined) files.push({ ...parsed, size });
    }
    return new Segments(directory, limitBytes, arrangeSegments(files));
  }

  /** Offset behind the last byte. */
  get size(): number {
    return this.#size;
  }

  get cut(): LogCut | undefined {
    let end = 0;
    for (const { offset, size } of this.#segments) {
      if (offset > end) return { from: end, to: offset };
      end = offset + size;
    }
    return undefined;
  }

  /** Goes back to this offset: what comes after it is not of the log any more. No file is changed. */
  goBack(offset: number): void {
    while (this.#segments.length > 0 && (this.#segments.at(-1) as Segment).offset >= offset)
      this.#stale.push(this.#segments.pop() as Segment);
    const last = this.#segments.at(-1);
    if (last !== undefined) last.size = Math.min(last.size, offset - last.offset);
    this.#size = offset;
  }

  /** From now on `writer` writes, in files of its own; what holds nothing of the log goes. */
  async takeOver(writer: number): Promise<void> {
    this.#writer = writer;
    for (const segment of this.#stale.splice(0)) await rm(this.#path(segment), { force: true });
  }

  /** Takes out of `parts` what is written; the rest is there if this rejects. */
  async append(parts: Uint8Array[]): Promise<void> {
    while (parts.length > 0) {
      const segment = await this.#segmentToWrite();
      const { bytesWritten } = await (this.#file as FileHandle).writev(firstBytes(parts, segmentBytesFor(this.#limitBytes) - segment.size));
      segment.size += bytesWritten;
      this.#size += bytesWritten;
      dropBytes(parts, bytesWritten);
    }
  }

  /** At most `maxBytes` from `offset` on, from within one segment; where that is cut, what comes after the cut. Empty at the end. */
  read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Buffer }> {
    return readTurn(() => this.#read(offset, maxBytes));
  }

  async #read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Buffer }> {
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

  async #segmentToWrite(): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (this.#file !== undefined && last !== undefined && last.size < segmentBytesFor(this.#limitBytes)) return last;
    await this.close();
    for (;;) {
      const dropped = segmentToDrop(this.#segments, this.#limitBytes);
      if (dropped === undefined) break;
      await rm(this.#path(this.#segments[dropped] as Segment), { force: true });
      this.#segments.splice(dropped, 1);
    }
    const segment = { offset: this.#size, writer: this.#writer, size: 0 };
    this.#file = await open(this.#path(segment), "a");
    this.#segments.push(segment);
    return segment;
  }

  #path(segment: SegmentFile): string {
    return join(this.#directory, segmentName(segment));
  }
}

/** Undefined if it is gone: who writes has thrown it away. Opened, as a network's file system then says what the server knows. */
async function sizeOf(path: string): Promise<number | undefined> {
  const file = await open(path, "r").catch(ifMissing(undefined));
  try {
    return (await file?.stat())?.size;
  } finally {
    await file?.close();
  }
}

/** `writev` takes so many at once (IOV_MAX of Linux). */
const MAX_PARTS = 1024;

function firstBytes(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const first: Uint8Array[] = [];
  let room = bytes;
  for (const part of parts.slice(0, MAX_PARTS)) {
    if (room === 0) break;
    first.push(part.length > room ? part.subarray(0, room) : part);
    room -= Math.min(room, part.length);
  }
  return first;
}

function dropBytes(parts: Uint8Array[], bytes: number): void {
  let left = bytes;
  let whole = 0;
  while (whole < parts.length && (parts[whole] as Uint8Array).length <= left) {
    left -= (parts[whole] as Uint8Array).length;
    whole += 1;
  }
  parts.splice(0, whole);
  if (left > 0) parts[0] = (parts[0] as Uint8Array).subarray(left);
}
