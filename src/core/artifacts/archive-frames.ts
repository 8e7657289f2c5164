import { z } from "zod";

/**
 * The archive that a collector sends, as frames: a byte for the kind, four for the length (big endian), then the payload: JSON, or bytes of a
 * file. Unlike in a tar archive, nobody says ahead how long a file is, so one that shrinks or breaks while it is read can say so; there are no
 * links, devices, modes or sparse maps to be believed; and nothing is held in memory but one small payload. An archive without an `end` is
 * none.
 */
export type Frame =
  /** What follows belongs to this file; `/` between the parts of its name, which is not to be trusted. */
  | { kind: "file"; name: string }
  | { kind: "data"; bytes: Uint8Array }
  /** `isChanged`: somebody wrote to it meanwhile. */
  | { kind: "fileEnd"; isChanged: boolean }
  /** It could not be read to its end. */
  | { kind: "fileBroken"; why: string }
  | { kind: "leftOut"; name: string; why: string }
  /** How many were left out, named or not. */
  | { kind: "end"; leftOut: number };

export class ArchiveError extends Error {}

/** Of a payload that is no file's bytes. */
export const MAX_JSON_BYTES = 16 * 1024;
/** Of a file's bytes in one frame. */
export const MAX_DATA_BYTES = 2 ** 20;
const HEADER_BYTES = 5;

const CODES = { file: 0x46, data: 0x44, fileEnd: 0x45, fileBroken: 0x42, leftOut: 0x4c, end: 0x5a } as const;
const KINDS = new Map(Object.entries(CODES).map(([kind, code]) => [code as number, kind as Frame["kind"]]));

const name = z.string().min(1).max(8192);
const why = z.string().max(1000);
const PAYLOADS = {
  file: z.strictObject({ name }),
  fileEnd: z.strictObject({ isChanged: z.boolean() }),
  fileBroken: z.strictObject({ why }),
  leftOut: z.strictObject({ name, why }),
  end: z.strictObject({ leftOut: z.int().min(0) }),
};

/** A frame as pieces to be sent one after another; `bytes` is passed on as it is. */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const { kind, ...fields } = frame;
  const payload = frame.kind === "data" ? frame.bytes : new TextEncoder().encode(JSON.stringify(fields));
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = CODES[kind];
  new DataView(header.buffer).setUint32(1, payload.length);
  return [header, payload];
}

/** Reads frames from chunks however they are cut. A data frame comes in as many pieces as its chunks make, each a view of its chunk. */
export class FrameReader {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  #payload = new Uint8Array(0);
  #payloadFilled = 0;
  #kind: Frame["kind"] | undefined;
  #dataLeft = 0;
  #isInFile = false;
  #isEnded = false;

  /** Whether the archive is whole. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** @throws ArchiveError for what is no archive */
  *read(chunk: Uint8Array): Generator<Frame> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#isEnded) throw new ArchiveError("something comes after the end of the archive");
      if (this.#kind === undefined) {
        const taken = chunk.subarray(at, at + HEADER_BYTES - this.#headerFilled);
        this.#header.set(taken, this.#headerFilled);
        this.#headerFilled += taken.length;
        at += taken.length;
        if (this.#headerFilled < HEADER_BYTES) return;
        this.#begin();
      } else if (this.#kind === "data") {
        const bytes = chunk.subarray(at, at + this.#dataLeft);
        at += bytes.length;
        this.#dataLeft -= bytes.length;
        yield { kind: "data", bytes };
      } else {
        const taken = chunk.subarray(at, at + this.#payload.length - this.#payloadFilled);
        this.#payload.set(taken, this.#payloadFilled);
        this.#payloadFilled += taken.length;
        at += taken.length;
        if (this.#payloadFilled === this.#payload.length) yield this.#finish(this.#kind);
      }
      if (this.#kind === "data" && this.#dataLeft === 0) this.#kind = undefined;
    }
  }

  #begin(): void {
    const kind = KINDS.get(this.#header[0] ?? 0);
    const length = new DataView(this.#header.buffer).getUint32(1);
    if (kind === undefined) throw new ArchiveError("a frame of the archive is of no known kind");
    if (length > (kind === "data" ? MAX_DATA_BYTES : MAX_JSON_BYTES)) throw new ArchiveError("a frame of the archive is too long");
    if ((kind === "file" || kind === "leftOut" || kind === "end") === this.#isInFile) {
      throw new ArchiveError(this.#isInFile ? "a file of the archive has no end" : "bytes of the archive belong to no file");
    }
    if (kind !== "data" && length === 0) throw new ArchiveError("a frame of the archive is empty");
    this.#headerFilled = 0;
    this.#kind = kind;
    this.#dataLeft = length;
    if (kind !== "data") this.#payload = new Uint8Array(length);
    this.#payloadFilled = 0;
  }

  #finish(kind: Exclude<Frame["kind"], "data">): Frame {
    const fields = PAYLOADS[kind].safeParse(parseJson(this.#payload));
    if (!fields.success) throw new ArchiveError(`a frame of the archive does not say what a "${kind}" says`);
    this.#kind = undefined;
    this.#isInFile = kind === "file";
    this.#isEnded = kind === "end";
    return { kind, ...fields.data } as Frame;
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
