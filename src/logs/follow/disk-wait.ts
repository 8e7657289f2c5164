import type { Clock } from "../../runtime/clock.ts";
import { TurboHipsterError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { LogSpool } from "./log-spool.ts";

const LOOK_MS = 1000;
/** So long after the container's end a full disk is waited for. */
const MAX_FULL_MS = 300_000;

export class DiskFullError extends TurboHipsterError {
  constructor() {
    super("TH_LOG_DISK_FULL", "the disk for logs is full: what came last is lost", { retryable: true });
  }
}

interface DiskWaitOptions {
  readonly spool: LogSpool;
  readonly hasEnded: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Waits for what a spool writes as long as that is of use: a full disk holds nothing up for ever. */
export class DiskWait {
  readonly #options: DiskWaitOptions;
  readonly #signal: AbortSignal;
  #isTold = false;

  constructor(options: DiskWaitOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Resolves when `writing` does, or the signal aborts; rejects with what writing has failed with, or with a DiskFullError. */
  async written(writing: Promise<void> | undefined): Promise<void> {
    if (writing === undefined) return;
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.#signal]);
    try {
      await Promise.race([writing, aborted(signal), this.#look(signal)]);
      this.#options.spool.failed.throwIfAborted();
    } finally {
      done.abort();
    }
  }

  /** Tells that the disk is full, and rejects when it has been for too long after the container's end. */
  async #look(signal: AbortSignal): Promise<void> {
    const { clock, hasEnded, logger, spool } = this.#options;
    let lateMs = 0;
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      if (signal.aborted) return;
      this.#tell();
      if (spool.isDiskFull && hasEnded()) lateMs += LOOK_MS;
      if (lateMs <= MAX_FULL_MS) continue;
      logger.error({}, "gives up a log: its disk is full");
      throw new DiskFullError();
    }
  }

  #tell(): void {
    const { logger, spool } = this.#options;
    if (spool.isDiskFull && !this.#isTold) logger.warn({}, "waits: the disk for logs is full");
    this.#isTold ||= spool.isDiskFull;
  }
}

/** Resolves when it aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
