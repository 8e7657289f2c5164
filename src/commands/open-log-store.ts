import { statSync } from "node:fs";
import { loadConfig } from "../config.ts";
import type { LogStore } from "../logs/stores/log-store.ts";
import { makeLogStore } from "../logs/stores/make-log-store.ts";
import { systemClock } from "../runtime/clock.ts";
import { InputError } from "../runtime/errors.ts";
import { makeLogger } from "../runtime/logger.ts";

/** The log store that `--store`, its directory, or `--config`, the operator's configuration, says; throws InputError unless it is one of both. */
export async function openLogStore({ store, config }: { store?: string; config?: string }): Promise<LogStore> {
  if ((store === undefined) === (config === undefined)) throw new InputError("say where builds are kept, with --store or --config");
  const logger = makeLogger("warn", process.stderr);
  if (store !== undefined) {
    if (!statSync(store, { throwIfNoEntry: false })?.isDirectory()) throw new InputError(`--store ${store} is no directory`);
    const { FilesStore } = await import("../logs/stores/files/files-store.ts");
    return new FilesStore({ directory: store, publicUrl: undefined, clock: systemClock, logger });
  }
  const made = await makeLogStore(loadConfig(config ?? "").logs, { clock: systemClock, logger });
  if (!made) throw new InputError(`${config}: logs.store is none: no builds are kept`);
  return made;
}
