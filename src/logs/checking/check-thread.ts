import { Worker } from "node:worker_threads";
import type { KeptAmounts } from "../../core/checks/baseline.ts";
import type { LineTime } from "../../core/checks/line-times.ts";
import type { CheckedLog } from "../../core/checks/log-check.ts";
import type { ReadValues } from "../../core/checks/values-check.ts";
import type { Check } from "../../core/test-task/schema/check.ts";
import type { Clock } from "../../runtime/clock.ts";
import { makeConcurrencyLimit } from "../../runtime/concurrency-limit.ts";
import { coerceError, TurboHipsterError } from "../../runtime/errors.ts";
import type { Service } from "../../runtime/service.ts";
import type { FromWorker, ToWorker } from "./check-messages.ts";

const MAX_HEAP_MB = 256;
/** How long a log of any size may take, and how much more for each byte: patterns that need a hundred times as long as others are hardly meant. */
const PATIENCE_MS = 60_000;
const MS_PER_BYTE = 1 / 2000;

export interface LogToCheck {
  readonly checks: readonly Check[];
  readonly times: readonly LineTime[];
  /** When the last line was printed. */
  readonly lastMs: number | undefined;
  readonly bytes: number;
  /** Of which each may be given away. */
  chunks(): AsyncIterable<Uint8Array>;
  readonly values: ReadValues;
  /** What baselines are made of, by the names of checks. */
  readonly kept: ReadonlyMap<string, KeptAmounts>;
}

/** Its patterns take too long; the message says so, as a clause. */
export class SlowChecksError extends TurboHipsterError {
  constructor(ms: number) {
    super("TH_CHECKS_SLOW", `its checks have taken more than ${Math.round(ms / 1000)} s; make their patterns simpler`);
  }
}

/** Checks logs in a thread of its own, one at a time; the others wait in line. The thread begins with the first and ends with `stop`. */
export class CheckThread implements Service {
  readonly #clock: Clock;
  readonly #limit = makeConcurrencyLimit(1);
  readonly #stopping = new AbortController();
  #worker: Worker | undefined;

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#limit.run(() => this.#end());
  }

  /** Rejects with the reason of `signal`, a SlowChecksError, or what `chunks` has failed with. */
  check(log: LogToCheck, signal: AbortSignal): Promise<CheckedLog[]> {
    return this.#limit.run(async () => {
      const either = AbortSignal.any([signal, this.#stopping.signal]);
      either.throwIfAborted();
      try {
        return await this.#check(log, either);
      } catch (thrown) {
        // Whatever it is at: the next log begins anew.
        await this.#end();
        throw thrown;
      }
    });
  }

  async #check(log: LogToCheck, signal: AbortSignal): Promise<CheckedLog[]> {
    const worker = this.#begin();
    const patienceMs = PATIENCE_MS + log.bytes * MS_PER_BYTE;
    const failing = new AbortController();
    const fail = (thrown: unknown) => failing.abort(coerceError(thrown));
    const cancel = this.#clock.schedule(patienceMs, () => fail(new SlowChecksError(patienceMs)));
    const exited = () => fail(new Error("the thread that checks logs has ended"));
    worker.once("error", fail);
    worker.once("exit", exited);
    try {
      const both = AbortSignal.any([signal, failing.signal]);
      const { checks, times, lastMs, values, kept } = log;
      const post = (message: ToWorker, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer);
      post({ kind: "begin", checks, times, lastMs, kept });
      for await (const bytes of log.chunks()) {
        const answer = nextMessage(worker, both);
        // Of Node's small buffers several are in one piece of memory.
        const own = new Uint8Array(bytes);
        post({ kind: "chunk", bytes: own }, [own.buffer]);
        await answer;
      }
      const last = nextMessage(worker, both);
      post({ kind: "end", values });
      const answer = await last;
      if (answer.kind !== "checked") throw new Error(`the thread that checks logs has said ${answer.kind}`);
      return answer.checked;
    } finally {
      cancel();
      worker.off("error", fail);
      worker.off("exit", exited);
    }
  }

  #begin(): Worker {
    if (this.#worker) return this.#worker;
    const file = import.meta.filename.endsWith(".ts") ? "./check-worker.ts" : "./check-worker.js";
    const worker = new Worker(new URL(file, import.meta.url), {
      ...{ name: "checks", execArgv: [], env: {} },
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    // While nobody waits for it.
    worker.on("error", () => {});
    worker.on("exit", () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    this.#worker = worker;
    return worker;
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

/** Rejects with the reason of `signal`, and where the worker has failed. */
async function nextMessage(worker: Worker, signal: AbortSignal): Promise<FromWorker> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<FromWorker>();
  const abort = () => reject(signal.reason);
  worker.once("message", resolve);
  signal.addEventListener("abort", abort);
  try {
    const message = await promise;
    if (message.kind === "failed") throw new Error(message.message);
    return message;
  } finally {
    worker.off("message", resolve);
    signal.removeEventListener("abort", abort);
  }
}
