import { ArchiveError, type Frame } from "../core/artifacts/archive-frames.ts";
import { type ArtifactLimits, MAX_LEFT_OUT_NAMED } from "../core/artifacts/artifact-limits.ts";
import { ArtifactNames } from "../core/artifacts/artifact-names.ts";
import { ArtifactPatterns } from "../core/artifacts/artifact-patterns.ts";
import type { ArtifactsRecord } from "../core/artifacts/artifacts-record.ts";
import { FrameReader } from "../core/artifacts/frame-reader.ts";
import { JunitCounts } from "../core/artifacts/junit-counts.ts";
import { LeftOutError } from "../core/artifacts/left-out-error.ts";
import { cutText } from "../core/logs/cut-text.ts";
import { JunitReader } from "./junit-reader.ts";

/** Where the files of one build go; `path` is safe, and no other file's. */
export interface ArtifactSink {
  /**
   * Calls `open` once; resolves to the bytes stored, fewer than came where a secret was masked. Rejects with what its stream has thrown, or once it
   * has read all of that with a LeftOutError, and stores nothing then.
   */
  put(path: string, open: () => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number>;
}

export interface ReceiveOptions {
  sink: ArtifactSink;
  /** Which files are junit XML. */
  junit: readonly string[];
  limits: ArtifactLimits;
  signal: AbortSignal;
}

/** Of an archive beside the bytes of its files. */
const MAX_FRAMES_BYTES = 64 * 2 ** 20;

/**
 * Takes an archive as it comes and hands each file on, with memory for some chunks. Whatever the archive says, files stay below the sink's
 * place and within the limits; what was left out is in the record. Rejects with ArchiveError for what is none or is cut off, and with what the
 * sink rejects with: then all is to be sent again.
 */
export async function receiveArtifacts(body: AsyncIterable<Uint8Array>, options: ReceiveOptions): Promise<ArtifactsRecord> {
  const { sink, limits, signal } = options;
  const names = new ArtifactNames(limits);
  const patterns = new ArtifactPatterns(options.junit);
  const junit = new JunitCounts();
  const record: ArtifactsRecord = { files: [], bytes: 0, leftOut: [], leftOutCount: 0 };
  const frames = readFrames(body, 2 * limits.totalBytes + MAX_FRAMES_BYTES, signal);
  let leftOutBySender = 0;
  let namedBySender = 0;

  function leaveOut(name: string, why: string): void {
    record.leftOutCount += 1;
    if (record.leftOut.length < MAX_LEFT_OUT_NAMED) record.leftOut.push({ name: printed(name), why: printed(why) });
  }

  async function keepFile(name: string): Promise<void> {
    const taken = names.take(name);
    if ("why" in taken) {
      leaveOut(name, taken.why);
      await skipFile(frames);
      return;
    }
    const { path } = taken;
    const reader = patterns.matches(path.split("/")) ? new JunitReader(path) : undefined;
    const file = { bytes: 0, isChanged: false };
    let storedBytes: number;
    try {
      storedBytes = await sink.put(path, () => readFile(file, reader), signal);
    } catch (error) {
      if (!(error instanceof LeftOutError)) throw error;
      leaveOut(name, error.message);
      return;
    }
    record.bytes += file.bytes;
    record.files.push({
      path,
      ...(name === path ? {} : { name: printed(name) }),
      bytes: storedBytes,
      ...(file.isChanged ? { isChanged: true as const } : {}),
    });
    const read = reader?.finish();
    if (read && "counts" in read) junit.add(read.counts);
    else if (read) junit.addUnread(path, read.why);
  }

  async function* readFile(file: { bytes: number; isChanged: boolean }, reader: JunitReader | undefined): AsyncGenerator<Uint8Array> {
    for (;;) {
      const frame = await nextFrame(frames);
      if (frame.kind === "fileBroken") throw new LeftOutError(frame.why);
      if (frame.kind === "fileEnd") {
        file.isChanged = frame.isChanged;
        return;
      }
      if (frame.kind !== "data") throw new ArchiveError("a file of the archive has no end");
      file.bytes += frame.bytes.length;
      if (record.bytes + file.bytes > limits.totalBytes) {
        await skipFile(frames);
        throw new LeftOutError(`beyond ${limits.totalBytes} bytes in all`);
      }
      reader?.write(frame.bytes);
      yield frame.bytes;
    }
  }

  for (;;) {
    const frame = await nextFrame(frames);
    if (frame.kind === "file") await keepFile(frame.name);
    else if (frame.kind === "leftOut") {
      namedBySender += 1;
      leaveOut(frame.name, frame.why);
    } else if (frame.kind === "end") {
      leftOutBySender = frame.leftOut;
      break;
    }
  }
  const rest = await frames.next();
  if (!rest.done) throw new ArchiveError("something comes after the end of the archive");
  record.leftOutCount += Math.max(0, leftOutBySender - namedBySender);
  return junit.record === undefined ? record : { ...record, junit: junit.record };
}

/** A collector counts as we do and never comes near `maxBytes`. */
async function* readFrames(body: AsyncIterable<Uint8Array>, maxBytes: number, signal: AbortSignal): AsyncGenerator<Frame, undefined> {
  const reader = new FrameReader();
  let bytes = 0;
  for await (const chunk of untilAborted(body, signal)) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new ArchiveError(`the archive has more than ${maxBytes} bytes`);
    yield* reader.read(chunk);
  }
  if (!reader.isEnded) throw new ArchiveError("the archive was cut off");
  return undefined;
}

/**
 * A body that waits for its sender does not hold up the end. Each wait has a promise of its own: one for all of them, in a race, would keep
 * everything that was ever read.
 */
async function* untilAborted<T>(body: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = body[Symbol.asyncIterator]();
  let breakOff: (reason: unknown) => void = () => {};
  const onAbort = () => breakOff(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<T>>();
      breakOff = reject;
      iterator.next().then(resolve, reject);
      const next = await promise;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function nextFrame(frames: AsyncGenerator<Frame, undefined>): Promise<Frame> {
  const { value } = await frames.next();
  if (value === undefined) throw new ArchiveError("the archive was cut off");
  return value;
}

/** Reads what is left of a file that is not kept. */
async function skipFile(frames: AsyncGenerator<Frame, undefined>): Promise<void> {
  let frame: Frame;
  do frame = await nextFrame(frames);
  while (frame.kind === "data");
}

/** One line for pages and records, whatever it holds. */
function printed(text: string): string {
  return cutText(text.toWellFormed().replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\u{FFFD}"), 500);
}
