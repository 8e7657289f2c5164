import type { Readable } from "node:stream";
import { TurboHipsterError } from "../../runtime/errors.ts";

/**
 * A place for files that outlive pods and nodes: a directory, or a bucket. A path is relative, its parts are joined by slashes, see
 * `checkStorePath`. What a browser is told of a file follows from its path (`storedFileType`), so that no caller can forget it.
 *
 * Every method rejects with a StoreError, or with the reason of `signal` when that aborts. What may go better soon is tried again inside,
 * with pauses, for some minutes where something is written and for some seconds where somebody waits to read; a StoreError with
 * `retryable` has outlasted that, and the same call may succeed later.
 */
export interface LogStore {
  /** For people: what it is and where. */
  readonly name: string;
  /**
   * Stores a stream under `path`, in place of what is there; a reader sees what was there before, or all of it. Takes memory for some MiB,
   * however long the stream is. Resolves to its bytes. `open` is called again where all must be sent again; an `open` that can't do that
   * throws, and what it throws ends the call. What its stream throws does, too; a stream that waits must end when `signal` aborts.
   */
  put(path: string, open: () => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number>;
  putText(path: string, text: string, signal: AbortSignal): Promise<void>;
  /** Stores a small text unless there is a file: then resolves to false, and to true where that holds the same text. */
  createText(path: string, text: string, signal: AbortSignal): Promise<boolean>;
  /** Bytes of a file from `start` up to before `end` (default: to its end); undefined where there is no file. */
  read(path: string, range: { start: number; end?: number }, signal: AbortSignal): Promise<StoredPart | undefined>;
  stat(path: string, signal: AbortSignal): Promise<{ bytes: number } | undefined>;
  /** The files below `folder` ("" for all), at any depth, in the order of their paths' bytes, those behind `after`, `limit` at most. */
  list(folder: string, options: { after?: string; limit: number }, signal: AbortSignal): Promise<StoredFiles>;
  /** Names of the folders right in `folder`, in the order of what is below them; `limit` at most, the last ones. */
  folders(folder: string, limit: number, signal: AbortSignal): Promise<string[]>;
  /** That there is no such file is no error. */
  remove(path: string, signal: AbortSignal): Promise<void>;
  /** Removes what uploads have left that began before `before` and never came to an end; resolves to how many. */
  removeUnfinished(before: Date, signal: AbortSignal): Promise<number>;
  /** Where people reach a file without this program; undefined where that is not known. */
  url(path: string): string | undefined;
  /** Breaks what still runs. */
  close(): void;
}

export interface StoredPart {
  /** Of the whole file. */
  bytes: number;
  /** Of Buffers. Fails where it is cut off. To be read to its end, or destroyed. */
  body: Readable;
}

export interface StoredFile {
  path: string;
  bytes: number;
}

export interface StoredFiles {
  files: StoredFile[];
  /** There are more behind the last one. */
  isMore: boolean;
}

export type StoreErrorCode = "TH_STORE_AWAY" | "TH_STORE_FULL" | "TH_STORE_REFUSED";

/** What a store could not do; the message names the store, what was to be done, and the remedy. */
export class StoreError extends TurboHipsterError {
  declare readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(code, message, options);
  }
}

/** An S3 key has 1024 bytes at most, and a prefix comes before it. */
const MAX_PATH_BYTES = 900;
const MAX_NAME_BYTES = 255;

/** Throws RangeError unless `path` stays where it belongs in a directory and in a bucket alike. Names with a dot in front are the store's own at the top. */
export function checkStorePath(path: string): void {
  const names = path.split("/");
  const isSafe =
    Buffer.byteLength(path) <= MAX_PATH_BYTES &&
    path.isWellFormed() &&
    !/[\p{Cc}\\]/u.test(path) &&
    !path.startsWith(".") &&
    names.every((name) => name !== "" && name !== "." && name !== ".." && Buffer.byteLength(name) <= MAX_NAME_BYTES);
  if (!isSafe) throw new RangeError(`no path of a stored file: ${JSON.stringify(path.slice(0, 200))}`);
}

/** A path as part of a URL. */
export function storedUrl(base: string | undefined, path: string): string | undefined {
  if (base === undefined) return undefined;
  return `${base.replace(/\/+$/, "")}/${path.split("/").map(encodeURIComponent).join("/")}`;
}
