import type { LogSpool } from "./log-spool.ts";

/** A spool as pages read it, while it grows and after. One for each spool: what readers share they share by it. */
export class ReadableSpool {
  readonly #spool: LogSpool;

  constructor(spool: LogSpool) {
    this.#spool = spool;
  }

  snapshot() {
    const { size, isEnded, isClosed, holes, cut, attempts } = this.#spool;
    return { bytes: size, isEnded, isLeft: isClosed && !isEnded, holes, cut, attempts };
  }

  read(offset: number, maxBytes: number): Promise<{ offset: number; bytes: Uint8Array }> {
    return this.#spool.read(offset, maxBytes);
  }

  points() {
    return this.#spool.points;
  }

  /** Resolves once there is more than at the time of the call, or no more comes; rejects with the reason of `signal`. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#spool.isEnded || this.#spool.isClosed) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => reject(signal.reason);
    const stop = this.#spool.onGrowth(resolve);
    signal.addEventListener("abort", abort);
    try {
      await promise;
    } finally {
      stop();
      signal.removeEventListener("abort", abort);
    }
  }
}
