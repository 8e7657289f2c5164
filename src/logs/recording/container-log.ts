import type { ContainerRun } from "../../core/logs/container-run.ts";
import type { Masker } from "../../core/logs/masking.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { followLog } from "../follow/log-follower.ts";
import type { LogSource } from "../follow/log-source.ts";
import { LogSpool } from "../follow/log-spool.ts";
import { ReadableSpool } from "../follow/readable-spool.ts";
import { SpoolTakenError } from "../follow/spool-taken-error.ts";

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** Once the container has ended nobody waits longer for a disk that takes nothing. */
const MAX_LATE_FAILURES = 10;

export interface ContainerLogOptions {
  container: string;
  /** The spool's. */
  directory: string;
  limitBytes: number;
  source: LogSource;
  masker: Masker;
  /** Whether its spool is to know when each line was printed. */
  keepsTimes?: boolean;
  /** Nothing more comes: not even from another run of it. */
  hasEnded(): boolean;
  run(): ContainerRun | undefined;
  /** Its spool is there, and can be read. */
  onOpen?(log: ReadableSpool): void;
  clock: Clock;
  logger: Logger;
}

/** One container's log on its way into its spool, again and again where that fails. */
export class ContainerLog {
  readonly container: string;
  readonly #options: ContainerLogOptions;
  #spool: LogSpool | undefined;
  #readable: { spool: LogSpool; log: ReadableSpool } | undefined;
  #problem: string | undefined;
  #isTaken = false;

  constructor(options: ContainerLogOptions) {
    this.container = options.container;
    this.#options = options;
  }

  /** undefined before there is one; another one after a failure. */
  get spool(): LogSpool | undefined {
    return this.#spool;
  }

  /** For pages: one for all who read. */
  get readable(): ReadableSpool | undefined {
    if (this.#spool && this.#readable?.spool !== this.#spool) this.#readable = { spool: this.#spool, log: new ReadableSpool(this.#spool) };
    return this.#readable?.log;
  }

  /** Why it may not be whole. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Another process writes it now: what can be read here may end early. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Resolves when all of the log is there, or nothing more of it is to be had, or soon after `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, hasEnded } = this.#options;
    let lateFailures = 0;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await this.#follow(signal);
        this.#problem = undefined;
        return;
      } catch (thrown) {
        this.#problem = coerceError(thrown).message;
        this.#isTaken = thrown instanceof SpoolTakenError;
        if (this.#isTaken) return;
        if (hasEnded()) lateFailures += 1;
        logger.warn({ err: coerceError(thrown), container: this.container, attempt }, "could not keep a log, tries again");
        if (lateFailures > MAX_LATE_FAILURES) return;
        await clock.sleep(backoffMs(attempt, FIRST_PAUSE_MS, MAX_PAUSE_MS), signal).catch(() => {});
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { directory, limitBytes, source, masker, keepsTimes = false, hasEnded, run, clock, logger } = this.#options;
    const spool = await LogSpool.open(directory, { limitBytes, clock });
    this.#spool = spool;
    if (this.readable) this.#options.onOpen?.(this.readable);
    try {
      await followLog({ source, spool, hasEnded, run, masker, keepsTimes, clock, logger }, signal);
    } finally {
      await spool.close();
    }
  }
}
