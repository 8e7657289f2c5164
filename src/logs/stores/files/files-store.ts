import { randomUUID } from "node:crypto";
import { type FileHandle, link, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { Clock } from "../../../runtime/clock.ts";
import { makeConcurrencyLimit } from "../../../runtime/concurrency-limit.ts";
import type { Logger } from "../../../runtime/logger.ts";
import { readTurn, writeTurn } from "../disk-turns.ts";
import { checkStorePath, type LogStore, type StoredFiles, type StoredPart, storedUrl } from "../log-store.ts";
import { PATIENCE_MS, patiently } from "../patience.ts";
import { readSource, textSource, withSource } from "../source.ts";
import { codeOf, isMissing, moveInto, openFile, readText, removeEmptyFolders, statFile, syncDirectory } from "./file-access.ts";
import { readFileBody } from "./file-body.ts";
import { filesError } from "./files-error.ts";
import { folderNames, walk } from "./walk.ts";

/** What is being written; on the same file system, so that a rename puts it in its place at once. */
const UNFINISHED = ".unfinished";
/** Streams that are written at once; a network's disk has nothing from more. */
const MAX_WRITES = 8;
/** What a file system says that has no second names for files. */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

export interface FilesStoreOptions {
  /** Must be there: that it is made by itself would hide that a volume is not mounted. */
  directory: string;
  /** Where people reach it, when a web server serves it. */
  publicUrl: string | undefined;
  clock: Clock;
  logger: Logger;
}

/** Files in a directory: of this machine, or of a volume that all replicas mount. */
export class FilesStore implements LogStore {
  readonly name: string;
  readonly #options: FilesStoreOptions;
  readonly #writes = makeConcurrencyLimit(MAX_WRITES);

  constructor(options: FilesStoreOptions) {
    this.#options = options;
    this.name = options.directory;
  }

  put(path: string, openSource: () => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
    return withSource(this.#write(path, (target) => this.#putOnce(target, openSource, signal), signal));
  }

  async putText(path: string, text: string, signal: AbortSignal): Promise<void> {
    await this.put(path, () => textSource(text), signal);
  }

  createText(path: string, text: string, signal: AbortSignal): Promise<boolean> {
    const createOnce = async (target: string) => {
      const unfinished = await this.#writeUnfinished(textSource(text), signal);
      try {
        await writeTurn(() => moveInto(target, () => linkOrWrite(unfinished.path, target, text)));
        return true;
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        return (await readTurn(() => readText(target))) === text;
      } finally {
        await writeTurn(() => rm(unfinished.path, { force: true }));
      }
    };
    return this.#write(path, createOnce, signal);
  }

  async read(path: string, range: { start: number; end?: number }, signal: AbortSignal): Promise<StoredPart | undefined> {
    const open = async () => {
      const file = await openFile(this.#place(path));
      if (file === undefined) return undefined;
      const { size } = await file.stat();
      const end = Math.min(range.end ?? size, size);
      if (range.start < end) return { bytes: size, body: readFileBody(file, range.start, end) };
      await file.close();
      return { bytes: size, body: Readable.from([]) };
    };
    return this.#try(`read ${path}`, PATIENCE_MS.read, signal, () => readTurn(open));
  }

  stat(path: string, signal: AbortSignal): Promise<{ bytes: number } | undefined> {
    return this.#try(`look at ${path}`, PATIENCE_MS.read, signal, async () => {
      const found = await readTurn(() => statFile(this.#place(path)));
      return found && { bytes: found.size };
    });
  }

  list(folder: string, { after = "", limit }: { after?: string; limit: number }, signal: AbortSignal): Promise<StoredFiles> {
    if (folder !== "") checkStorePath(folder);
    const listAll = async () => {
      const files: StoredFiles["files"] = [];
      for await (const path of walk(this.#options.directory, folder, after)) {
        if (files.length === limit) return { files, isMore: true };
        signal.throwIfAborted();
        const found = await statFile(join(this.#options.directory, path));
        if (found) files.push({ path, bytes: found.size });
      }
      return { files, isMore: false };
    };
    return this.#try(`list ${folder || "its files"}`, PATIENCE_MS.read, signal, () => readTurn(listAll));
  }

  folders(folder: string, limit: number, signal: AbortSignal): Promise<string[]> {
    if (folder !== "") checkStorePath(folder);
    return this.#try(`list ${folder || "its folders"}`, PATIENCE_MS.read, signal, async () =>
      (await readTurn(() => folderNames(this.#options.directory, folder))).slice(-limit),
    );
  }

  remove(path: string, signal: AbortSignal): Promise<void> {
    const target = this.#place(path);
    const removeIt = async () => {
      if (await statFile(target)) await rm(target, { force: true });
      await removeEmptyFolders(dirname(target), this.#options.directory);
    };
    return this.#try(`remove ${path}`, PATIENCE_MS.write, signal, () => writeTurn(removeIt));
  }

  removeUnfinished(before: Date, signal: AbortSignal): Promise<number> {
    const removeAll = async () => {
      const directory = join(this.#options.directory, UNFINISHED);
      let removed = 0;
      for (const name of await readdir(directory).catch(emptyIfMissing)) {
        signal.throwIfAborted();
        const found = await statFile(join(directory, name));
        // The time of its last byte: what is still being written is never old.
        if (!found || found.mtime >= before) continue;
        await rm(join(directory, name), { force: true });
        removed += 1;
      }
      return removed;
    };
    return this.#try("remove what uploads have left", PATIENCE_MS.write, signal, () => writeTurn(removeAll));
  }

  url(path: string): string | undefined {
    return storedUrl(this.#options.publicUrl, path);
  }

  close(): void {}

  #place(path: string): string {
    checkStorePath(path);
    return join(this.#options.directory, path);
  }

  #write<T>(path: string, work: (target: string) => Promise<T>, signal: AbortSignal): Promise<T> {
    const target = this.#place(path);
    return this.#writes.run(() => this.#try(`store ${path}`, PATIENCE_MS.write, signal, () => work(target)));
  }

  #try<T>(what: string, patienceMs: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { directory, clock, logger } = this.#options;
    const call = async () => {
      try {
        return await work();
      } catch (error) {
        throw filesError(error, directory, what);
      }
    };
    return patiently(call, { what, patienceMs, clock, logger, signal });
  }

  async #putOnce(target: string, openSource: () => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
    const unfinished = await this.#writeUnfinished(readSource(openSource), signal);
    try {
      await writeTurn(async () => {
        await moveInto(target, () => rename(unfinished.path, target));
        await syncDirectory(dirname(target));
      });
      return unfinished.bytes;
    } catch (error) {
      await writeTurn(() => rm(unfinished.path, { force: true }));
      throw error;
    }
  }

  /** Leaves nothing behind when it fails. */
  async #writeUnfinished(source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<{ path: string; bytes: number }> {
    const path = join(this.#options.directory, UNFINISHED, randomUUID());
    // Alone, so that a store's directory that is not there is missed, and not made.
    const file = await writeTurn(async () => {
      await mkdir(dirname(path)).catch((error) => {
        if (codeOf(error) !== "EEXIST") throw error;
      });
      return open(path, "wx", 0o644);
    });
    let bytes = 0;
    try {
      for await (const chunk of source) {
        signal.throwIfAborted();
        // The source may take its time: a turn is for what is there.
        await writeTurn(() => writeWhole(file, chunk));
        bytes += chunk.length;
      }
      await writeTurn(async () => {
        await file.sync();
        await file.close();
      });
      return { path, bytes };
    } catch (error) {
      await writeTurn(async () => {
        await file.close().catch(() => {});
        await rm(path, { force: true });
      });
      throw error;
    }
  }
}

async function writeWhole(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

function emptyIfMissing(error: unknown): string[] {
  if (isMissing(error)) return [];
  throw error;
}

/** EEXIST where there is a file. */
async function linkOrWrite(from: string, target: string, text: string): Promise<void> {
  try {
    await link(from, target);
  } catch (error) {
    if (!NO_LINKS.includes(codeOf(error))) throw error;
    await writeFile(target, text, { flag: "wx" });
  }
}
