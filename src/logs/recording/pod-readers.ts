import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerRun } from "../../core/logs/container-run.ts";
import type { Masker } from "../../core/logs/masking.ts";
import type { Clock } from "../../runtime/clock.ts";
import { BusyError, coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { Loop } from "../../runtime/loop.ts";
import type { Service } from "../../runtime/service.ts";
import type { LogSource } from "../follow/log-source.ts";
import type { ReadableSpool } from "../follow/readable-spool.ts";
import { ContainerLog } from "./container-log.ts";

/** Of one log: what is looked at, not what is kept. The chart's volume for them holds twice all of it. */
const LIMIT_BYTES = 64 * 2 ** 20;
export const MAX_READERS = 16;
/** A log that nobody has looked at for so long is let go. */
const UNUSED_MS = 2 * 60_000;
const LOOK_MS = 30_000;

export interface ReadPlace {
  /** Of the pod. */
  uid: string;
  container: string;
  source: LogSource;
  hasEnded(): boolean;
  run(): ContainerRun | undefined;
  readMasker(): Promise<Masker>;
}

interface Reader {
  leaving: AbortController;
  done: Promise<void>;
  readers: number;
  usedAtMs: number;
  opened: Promise<WatchedLog | undefined>;
}

/** Logs that are not recorded here, read from their pods for as long as somebody looks at them; however many do, once. */
export class PodReaders implements Service {
  readonly #options: { directory: string; clock: Clock; logger: Logger };
  readonly #readers = new Map<string, Reader>();
  readonly #loop: Loop;
  #count = 0;

  constructor(options: { directory: string; clock: Clock; logger: Logger }) {
    this.#options = options;
    this.#loop = new Loop(options.clock, async () => {
      this.#letGo();
      return this.#readers.size === 0 ? undefined : LOOK_MS;
    });
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    const all = [...this.#readers.values()];
    for (const { leaving } of all) leaving.abort();
    await Promise.all(all.map(({ done }) => done));
  }

  /** The same object for all who ask; undefined where it can't be read. Rejects with a BusyError where somebody waits for more of each log. */
  async open(place: ReadPlace): Promise<WatchedLog | undefined> {
    const key = `${place.uid}.${place.container}`;
    let reader = this.#readers.get(key);
    if (!reader) {
      this.#letGo(MAX_READERS - 1);
      if (this.#readers.size >= MAX_READERS) {
        throw new BusyError(
          `${MAX_READERS} logs that are not stored are read from their pods already; this one can be read when one of them is not any more`,
        );
      }
      reader = this.#begin(key, place);
    }
    reader.usedAtMs = this.#options.clock.monotonicMs();
    return reader.opened;
  }

  #begin(key: string, place: ReadPlace): Reader {
    const { clock, logger } = this.#options;
    this.#count += 1;
    const directory = join(this.#options.directory, `${key}.${this.#count}`);
    const opened = Promise.withResolvers<WatchedLog | undefined>();
    const reader: Reader = {
      ...{ leaving: new AbortController(), readers: 0, usedAtMs: clock.monotonicMs() },
      ...{ opened: opened.promise, done: Promise.resolve() },
    };
    reader.done = this.#read(reader, place, directory, opened.resolve)
      .catch((thrown) =>
        logger.warn({ err: coerceError(thrown), container: place.container }, "could not read the log of a pod for a page"),
      )
      .finally(() => {
        opened.resolve(undefined);
        if (this.#readers.get(key) === reader) this.#readers.delete(key);
      });
    this.#readers.set(key, reader);
    this.#loop.wake();
    return reader;
  }

  async #read(reader: Reader, place: ReadPlace, directory: string, opened: (log: WatchedLog) => void): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = reader.leaving;
    const onOpen = (spool: ReadableSpool) => {
      const log = new WatchedLog(spool, reader);
      opened(log);
      // After a failure there is another one.
      reader.opened = Promise.resolve(log);
    };
    try {
      const masker = await place.readMasker();
      await new ContainerLog({ ...place, directory, limitBytes: LIMIT_BYTES, masker, onOpen, clock, logger }).run(signal);
      // Once it is whole it stays for as long as it is looked at.
      const { promise, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (!signal.aborted) await promise;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** What nobody has looked at for long, and of what nobody waits for more what is above `most`. */
  #letGo(most = MAX_READERS): void {
    const nowMs = this.#options.clock.monotonicMs();
    const unused = [...this.#readers].filter(([, { readers }]) => readers === 0).sort(([, a], [, b]) => a.usedAtMs - b.usedAtMs);
    for (const [key, reader] of unused) {
      const isTooMany = this.#readers.size > most;
      if (!isTooMany && nowMs - reader.usedAtMs < UNUSED_MS) continue;
      this.#readers.delete(key);
      reader.leaving.abort();
    }
  }
}

/** Counts who waits for more of it. */
class WatchedLog {
  readonly #log: ReadableSpool;
  readonly #reader: Reader;

  constructor(log: ReadableSpool, reader: Reader) {
    this.#log = log;
    this.#reader = reader;
  }

  snapshot() {
    return this.#log.snapshot();
  }

  read(offset: number, maxBytes: number) {
    return this.#log.read(offset, maxBytes);
  }

  points() {
    return this.#log.points();
  }

  async changed(signal: AbortSignal): Promise<void> {
    this.#reader.readers += 1;
    try {
      await this.#log.changed(signal);
    } finally {
      this.#reader.readers -= 1;
    }
  }
}
