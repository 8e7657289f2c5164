import type { LogStore } from "./log-store.ts";

/** Of a file of our own making at most so many bytes; undefined where there is none. */
export async function readStoredText(store: LogStore, path: string, maxBytes: number, signal: AbortSignal): Promise<string | undefined> {
  const part = await store.read(path, { start: 0, end: maxBytes }, signal);
  return part && Buffer.concat(await part.body.toArray({ signal })).toString();
}
