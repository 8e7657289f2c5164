import * as z from "zod";
import { ArchiveError, FRAME_CODES, type Frame, HEADER_BYTES, MAX_DATA_BYTES, MAX_JSON_BYTES } from "./archive-frames.ts";

const KINDS = new Map(Object.entries(FRAME_CODES).map(([kind, code]) => [code as number, kind as Frame["kind"]]));

const name = z.string().min(1).max(8192);
const why = z.string().max(1000);
const PAYLOADS = {
  file: z.strictObject({ name }),
  fileEnd: z.strictObject({ isChanged: z.boolean() }),
  fileBroken: z.strictObject({ why }),
  leftOut: z.strictObject({ name, why }),
  end: z.strictObject({ leftOut: z.int().min(0) }),
};

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
