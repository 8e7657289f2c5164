import { setImmediate as nextTurn } from "node:timers/promises";
import { FollowedLog, type StreamEnd } from "../../core/logs/followed-log.ts";
import type { LogHole } from "../../core/logs/log-position.ts";
import { prefixLength } from "../../core/logs/log-time.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { LogSource } from "./log-source.ts";
import type { LogSpool } from "./log-spool.ts";
import { StreamsAhead } from "./streams-ahead.ts";

/** Less often than a kubelet rotates a log, at most every 3 s (`containerLogMonitorInterval`). */
const LOOK_MS = 2000;
/** A file that is not longer is not rotated; no kubelet is told to keep so little. */
const LOOK_BYTES = 64 * 1024;
/** A timestamp and its blank. */
const HEAD_BYTES = 37;
/** What was not heard for so long, though it is there, does not come any more. A kubelet that reads a file looks for more every second. */
const SILENCE_MS = 3000;
/** A stream that has been silent for so long is opened anew: its connection may be dead. */
const MAX_SILENCE_MS = 120_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;
/** After the container's end the log is given up after this many tries in a row without a byte of it: some minutes. */
const MAX_TRIES = 60;

/** Takes bytes on their way into the spool, and gives at the end of each line all that came before. */
interface LineMasking {
  write(chunk: Uint8Array): Uint8Array[];
  end(): Uint8Array[];
}

export interface LogFollowerOptions {
  readonly source: LogSource;
  readonly spool: LogSpool;
  /** Whether the pod says that the container has ended. Until then a stream's end is no end of the log. */
  readonly hasEnded: () => boolean;
  readonly masking: LineMasking;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Reads a container's log into a spool, from the first byte to the last, whatever streams break meanwhile. For one whose container has
 * started: before that there is nothing to read. Resolves when the spool is ended, or `signal` aborts; rejects when it can't be written.
 */
export async function followLog(options: LogFollowerOptions, signal: AbortSignal): Promise<void> {
  if (options.spool.isEnded) return;
  await new LogFollowing(options, signal).run();
}

class LogFollowing {
  readonly #options: LogFollowerOptions;
  readonly #signal: AbortSignal;
  readonly #log: FollowedLog;
  readonly #ahead: StreamsAhead;
  /** In a row, and those of them since the container has ended. */
  #failures = 0;
  #lateFailures = 0;
  /** Since the log was last looked at from its beginning. */
  #bytesSinceLook = 0;
  /** Once more when all has come: only then the reader has heard of the last file, or never will. */
  #owesLook = false;
  #heardAtMs: number;

  constructor(options: LogFollowerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = AbortSignal.any([signal, options.spool.failed]);
    const point = options.spool.points.at(-1);
    this.#log = new FollowedLog(point?.position, point?.lines);
    this.#ahead = new StreamsAhead(options.source, this.#log.rotation, this.#signal);
    this.#heardAtMs = options.clock.monotonicMs();
  }

  async run(): Promise<void> {
    try {
      await this.#follow();
      await this.#options.spool.flush();
    } finally {
      this.#ahead.closeAll();
    }
  }

  async #follow(): Promise<void> {
    const { hasEnded } = this.#options;
    while (!this.#signal.aborted) {
      const how = await this.#readStream();
      if (this.#signal.aborted) return;
      if (how === "gone") return this.#giveUp();
      const step = this.#log.end(how);
      if (step.kind === "failed") this.#note("the log can't be read", { words: step.words });
      if (step.kind === "finished" && hasEnded()) return this.#finish(step);
      if (step.kind === "confirm" && hasEnded() && (await this.#isConfirmed(step.tailLines))) {
        return this.#finish(this.#log.finish(undefined));
      }
      if (step.kind === "finished" || step.kind === "failed" || how === "broken") await this.#pause();
      if (this.#lateFailures > MAX_TRIES) return this.#giveUp();
    }
  }

  /** Nothing more can be had of the log, and nobody knows how much more there was. */
  #giveUp(): Promise<void> {
    return this.#finish(this.#log.finish({ after: this.#log.position.time, before: undefined }));
  }

  async #readStream(): Promise<StreamEnd | "gone"> {
    const { source, clock } = this.#options;
    const ahead = this.#log.isLost ? this.#ahead.take() : undefined;
    const leaving = ahead?.leaving ?? new AbortController();
    const signal = AbortSignal.any([this.#signal, leaving.signal]);
    this.#heardAtMs = clock.monotonicMs();
    const watching = this.#watchStream(leaving);
    try {
      for await (const chunk of ahead?.chunks ?? (await source.open({ sinceTime: this.#log.sinceTime, signal }))) {
        this.#heardAtMs = clock.monotonicMs();
        await this.#take(chunk);
        if (this.#log.isStreamUsedUp) return "clean";
        // Each line comes by itself. What comes within a turn is then read together, which takes half of the time.
        await nextTurn();
      }
      return "clean";
    } catch (thrown) {
      // It may be the spool's.
      await this.#options.spool.flush();
      if (leaving.signal.aborted) return "silent";
      if (!this.#signal.aborted) this.#note("the stream of the log broke", { err: coerceError(thrown) });
      return source.isGone(thrown) ? "gone" : "broken";
    } finally {
      leaving.abort();
      await watching;
    }
  }

  async #take(chunk: Buffer): Promise<void> {
    const { spool, masking } = this.#options;
    this.#bytesSinceLook += chunk.length;
    const parts = this.#log.take(chunk);
    for (const part of parts) {
      this.#failures = 0;
      this.#lateFailures = 0;
      if (part instanceof Uint8Array) spool.append(masking.write(part));
      else this.#noteHole(part);
    }
    const { position } = this.#log;
    if (parts.length > 0 && position.isWhole) spool.notePoint(this.#log.lines, position);
    await spool.room();
  }

  #noteHole(hole: LogHole): void {
    this.#options.logger.warn({ ...hole }, "notes a hole in the log");
    this.#options.spool.noteHole(hole);
  }

  async #finish({ rest, hole }: { rest: Uint8Array; hole: LogHole | undefined }): Promise<void> {
    const { spool, masking } = this.#options;
    spool.append([...masking.write(rest), ...masking.end()]);
    if (hole !== undefined) this.#noteHole(hole);
    await spool.end();
  }

  /** Beside a stream: looks for rotations, and leaves it when it does not say what there is to be said. */
  async #watchStream(leaving: AbortController): Promise<void> {
    const { clock } = this.#options;
    const signal = AbortSignal.any([this.#signal, leaving.signal]);
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      if (signal.aborted) return;
      if (this.#bytesSinceLook >= LOOK_BYTES || this.#owesLook) await this.#look(signal);
      const isMissing = this.#log.rotation.isWaiting || this.#log.isSearching;
      if (clock.monotonicMs() - this.#heardAtMs > (isMissing ? SILENCE_MS : MAX_SILENCE_MS)) leaving.abort();
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    this.#owesLook = this.#bytesSinceLook >= LOOK_BYTES;
    this.#bytesSinceLook = 0;
    try {
      const head = await this.#options.source.head(HEAD_BYTES, signal);
      const length = prefixLength(head, 0);
      if (length <= 0) return;
      const time = head.toString("latin1", 0, length - 1);
      const hole = this.#log.rotation.noteHead(time, this.#log.position);
      if (hole !== undefined) this.#noteHole(hole);
      await this.#ahead.open(time);
    } catch (thrown) {
      // It is looked at again in two seconds.
      this.#bytesSinceLook = LOOK_BYTES;
      if (!signal.aborted) this.#note("the log's beginning can't be read", { err: coerceError(thrown) });
    }
  }

  async #isConfirmed(lines: number): Promise<boolean> {
    try {
      if (this.#bytesSinceLook >= LOOK_BYTES || this.#owesLook) await this.#look(this.#signal);
      if (this.#log.isConfirmedBy(await this.#options.source.tail(lines, this.#signal))) return true;
    } catch (thrown) {
      this.#note("the log's end can't be read", { err: coerceError(thrown) });
    }
    return false;
  }

  async #pause(): Promise<void> {
    this.#failures += 1;
    if (this.#options.hasEnded()) this.#lateFailures += 1;
    await this.#options.clock.sleep(backoffMs(this.#failures - 1, FIRST_PAUSE_MS, MAX_PAUSE_MS), this.#signal).catch(() => {});
  }

  #note(message: string, fields: object): void {
    this.#options.logger.debug(fields, message);
  }
}
