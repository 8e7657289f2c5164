import type { LogStore } from "../stores/log-store.ts";

/** Of files of our own making: a record of 20,000 artifacts has some megabytes. */
const MAX_BYTES = 32 * 2 ** 20;

export async function readStoredText(store: LogStore, path: string, signal: AbortSignal): Promise<string | undefined> {
  const part = await store.read(path, { start: 0, end: MAX_BYTES }, signal);
  return part && Buffer.concat(await part.body.toArray({ signal })).toString();
}
