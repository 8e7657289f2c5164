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
export const HEADER_BYTES = 5;

/** The first byte of each kind. */
export const FRAME_CODES = { file: 0x46, data: 0x44, fileEnd: 0x45, fileBroken: 0x42, leftOut: 0x4c, end: 0x5a } as const;

/** A frame as pieces to be sent one after another; `bytes` is passed on as it is. */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const { kind, ...fields } = frame;
  const payload = frame.kind === "data" ? frame.bytes : new TextEncoder().encode(JSON.stringify(fields));
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = FRAME_CODES[kind];
  new DataView(header.buffer).setUint32(1, payload.length);
  return [header, payload];
}
