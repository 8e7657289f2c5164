import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LogSpool } from "../../../src/logs/follow/log-spool.ts";

/** What of the log is kept. */
export async function readAll(spool: LogSpool): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < spool.size; ) {
    const { offset, bytes } = await spool.read(at, 1000);
    pieces.push(bytes);
    at = offset + bytes.length;
  }
  return Buffer.concat(pieces);
}

/** For one spool, until disposed. */
export async function makeDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "th-spool-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A disk of its own, of this size, at this place. */
export async function mountDisk(path: string, size: string): Promise<AsyncDisposable & { resize(size: string): Promise<unknown> }> {
  const run = promisify(execFile);
  await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "none", path]);
  const resize = (wanted: string) => run("mount", ["-o", `remount,size=${wanted}`, path]);
  return { resize, [Symbol.asyncDispose]: () => run("umount", [path]).then(() => {}) };
}
