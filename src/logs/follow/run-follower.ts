import { setImmediate as nextTurn } from "node:timers/promises";
import type { ContainerRun } from "../../core/logs/container-run.ts";
import { FollowedLog, type StreamEnd } from "../../core/logs/followed-log.ts";
import type { LogHole } from "../../core/logs/log-position.ts";
import { prefixLength } from "../../core/logs/log-time.ts";
import { backoffMs } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { DiskFullError, DiskWait } from "./disk-wait.ts";
import type { LogSource, WhichLog } from "./log-source.ts";
import type { LogSpool } from "./log-spool.ts";
import { StreamsAhead } from "./streams-ahead.ts";

/** Less often than a kubelet rotates a log, at most every 3 s (`containerLogMonitorInterval`), though a look may take a while. */
const LOOK_MS = 1000;
/** One that is followed from now on may be about to be rotated. */
const FIRST_LOOK_MS = 200;
/** A file that is not longer is not rotated; no kubelet is told to keep so little. */
const LOOK_BYTES = 64 * 1024;
/** A timestamp and its blank. */
const HEAD_BYTES = 37;
/**
 * What was not heard for so long, though it is there, does not come any more: a kubelet that reads a file looks for more every second. It must
 * have answered meanwhile, and this process have heard that: on a busy machine both may do nothing at all for seconds.
 */
const SILENCE_MS = 3000;
const SILENT_LOOKS = 3;
/** A stream that has been silent for so long is opened anew: its connection may be dead. */
const MAX_SILENCE_MS = 120_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5000;
/** After the container's end the log is given up after this many tries in a row without a byte of it: some minutes. */
const MAX_TRIES = 60;
/** Of a run of which the kubelet has only what it kept: while it is asked for, the next run's log comes. */
const MAX_PREVIOUS_TRIES = 5;
/** A stream ends before the pod says that its container has ended: a kubelet looks each second, and on a busy node it takes a while to say so. */
const SETTLE_MS = 10_000;
const SETTLE_STEP_MS = 100;

/** Masks one log. */
interface LogMasking {
  /** Gives at the end of each line all that came before. */
  write(chunk: Uint8Array): Uint8Array[];
  end(): Uint8Array[];
}

export interface LogFollowerOptions {
  readonly source: LogSource;
  readonly spool: LogSpool;
  /** Whether the pod says that the container has ended for good. Until then a stream's end is no end of the log. */
  readonly hasEnded: () => boolean;
  /** The container's newest run, as far as the pod tells of it. */
  readonly run: () => ContainerRun | undefined;
  /** Whether the spool is to know when each line was printed. */
  readonly keepsTimes?: boolean;
  /** On the way into the spool. */
  readonly masker: { begin(): LogMasking };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Reads the log of one run of a container into a spool, from where that stands. */
export class RunFollower {
  readonly attempt: number;
  readonly #options: LogFollowerOptions;
  readonly #masking: LogMasking;
  readonly #signal: AbortSignal;
  readonly #log: FollowedLog;
  readonly #ahead: StreamsAhead;
  readonly #disk: DiskWait;
  /** In a row, and those of them since the container has ended. */
  #failures = 0;
  #lateFailures = 0;
  /** Since the log was last looked at from its beginning. */
  #bytesSinceLook = 0;
  /** Once more when all has come: only then the reader has heard of the last file, or never will. */
  #owesLook = false;
  #heardAtMs: number;
  /** Looks that were answered since. */
  #looksSinceHeard = 0;
  #isGone = false;
  #isFirstLook = true;

  constructor(options: LogFollowerOptions, signal: AbortSignal) {
    const { spool, source, masker, clock } = options;
    this.#options = options;
    this.#masking = masker.begin();
    this.#signal = AbortSignal.any([signal, spool.failed]);
    const point = spool.points.at(-1);
    this.attempt = point?.attempt ?? 0;
    const openedMs = source.now().getTime();
    const onTime = options.keepsTimes === true ? (line: number, ms: number) => spool.noteTime(line, ms) : undefined;
    this.#log = new FollowedLog(point?.position, point?.lines, () => this.#start(openedMs), onTime);
    this.#ahead = new StreamsAhead(source, this.#log.rotation, this.#signal);
    this.#disk = new DiskWait({ ...options, hasEnded: () => this.#hasEnded() }, this.#signal);
    this.#heardAtMs = clock.monotonicMs();
  }

  /** The pod is gone, and nothing more can be had of the container. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whole lines, of this run and those before. */
  get lines(): number {
    return this.#log.lines;
  }

  /** Resolves when all there was is written, or the signal aborts. */
  async run(): Promise<void> {
    const { spool } = this.#options;
    try {
      await this.#follow();
      await this.#disk.written(spool.flush());
    } finally {
      this.#ahead.closeAll();
    }
  }

  #start(openedMs: number): { startedMs: number; lateMs: number } | undefined {
    const run = this.#options.run();
    if (run?.startedAt === undefined || run.attempt !== this.attempt) return undefined;
    const startedMs = run.startedAt.getTime();
    return { startedMs, lateMs: openedMs - startedMs };
  }

  /** Which run the newest is, seen from this one: 0 is this one. */
  get #newer(): number {
    return Math.max(0, (this.#options.run()?.attempt ?? 0) - this.attempt);
  }

  #hasEnded(): boolean {
    return this.#options.hasEnded() || this.#newer > 0 || (this.#options.run()?.hasEnded ?? false);
  }

  #which(signal: AbortSignal): WhichLog {
    return { previous: this.#newer === 1, signal };
  }

  async #follow(): Promise<void> {
    while (!this.#signal.aborted) {
      const how = this.#newer > 1 ? "gone" : await this.#readRun(this.#newer);
      if (this.#signal.aborted) return;
      this.#isGone = how === "gone" && this.#newer === 0;
      if (how === "gone") return this.#giveUp();
      const step = this.#log.end(how);
      this.#note("leaves a stream of the log", { how, next: step.kind, ...this.#log.position, isLost: this.#log.isLost });
      if (step.kind === "failed") this.#note("the log can't be read", { words: step.words });
      if (step.kind === "finished" && this.#hasEnded()) return this.#finish(step);
      if (step.kind === "confirm" && this.#hasEnded() && (await this.#isConfirmed(step.tailLines))) {
        return this.#finish(this.#log.finish(undefined));
      }
      if (step.kind === "finished" || step.kind === "failed" || how === "broken") await this.#pause();
      if (this.#lateFailures > (this.#newer > 0 ? MAX_PREVIOUS_TRIES : MAX_TRIES)) return this.#giveUp();
    }
  }

  /**
   * A container that is started again has another log then, which is not to be taken for this one: a kubelet gives it before its pod tells of it.
   * A stream without the line up to which this one was taken says nothing of it if there is a newer run than when it was opened.
   */
  async #readRun(newer: number): Promise<StreamEnd | "gone"> {
    const how = await this.#readStream();
    if (how === "gone" || how === "broken" || this.#options.run()?.mayBeRepeated !== true) return how;
    await this.#settle(() => this.#hasEnded());
    if (!this.#log.lacksLine) return how;
    await this.#settle(() => this.#newer > newer || this.#options.hasEnded());
    return this.#newer > newer ? "broken" : how;
  }

  async #settle(isSettled: () => boolean): Promise<void> {
    for (let waitedMs = 0; waitedMs < SETTLE_MS && !isSettled() && !this.#signal.aborted; waitedMs += SETTLE_STEP_MS) {
      await this.#options.clock.sleep(SETTLE_STEP_MS, this.#signal).catch(() => {});
    }
  }

  /** Nothing more can be had of the log, and nobody knows how much more there was. */
  #giveUp(): void {
    this.#finish(this.#log.finish({ after: this.#log.position.time, before: undefined }));
  }

  async #readStream(): Promise<StreamEnd | "gone"> {
    const { source } = this.#options;
    const ahead = this.#log.isLost ? this.#ahead.take() : undefined;
    const leaving = ahead?.leaving ?? new AbortController();
    const signal = AbortSignal.any([this.#signal, leaving.signal]);
    this.#noteHeard();
    const watching = this.#watchStream(leaving);
    try {
      const { sinceTime } = this.#log;
      for await (const chunk of ahead?.chunks ?? (await source.open({ sinceTime, ...this.#which(signal) }))) {
        this.#noteHeard();
        await this.#take(chunk);
        if (this.#log.isStreamUsedUp) return "clean";
        // Each line comes by itself. What comes within a turn is then read together, which takes half of the time.
        await nextTurn();
      }
      return "clean";
    } catch (thrown) {
      // It may be the spool's.
      this.#options.spool.failed.throwIfAborted();
      if (thrown instanceof DiskFullError) throw thrown;
      if (leaving.signal.aborted) return "silent";
      if (!this.#signal.aborted) this.#note("the stream of the log broke", { err: coerceError(thrown) });
      return source.isGone(thrown) ? "gone" : "broken";
    } finally {
      leaving.abort();
      await watching;
    }
  }

  async #take(chunk: Buffer): Promise<void> {
    const { spool } = this.#options;
    this.#bytesSinceLook += chunk.length;
    const parts = this.#log.take(chunk);
    for (const part of parts) {
      this.#failures = 0;
      this.#lateFailures = 0;
      if (part instanceof Uint8Array) spool.append(this.#masking.write(part));
      else this.#noteHole(part);
    }
    const { position } = this.#log;
    if (parts.length > 0 && position.isWhole) spool.notePoint(this.#log.lines, position);
    await this.#disk.written(spool.room());
  }

  #noteHole(hole: LogHole): void {
    this.#options.logger.warn({ ...hole }, "notes a hole in the log");
    this.#options.spool.noteHole(hole);
  }

  #finish({ rest, hole }: { rest: Uint8Array; hole: LogHole | undefined }): void {
    this.#options.spool.append([...this.#masking.write(rest), ...this.#masking.end()]);
    if (hole !== undefined) this.#noteHole(hole);
  }

  /** Beside a stream: looks for rotations, and leaves it when it does not say what there is to be said. */
  async #watchStream(leaving: AbortController): Promise<void> {
    const { clock } = this.#options;
    const signal = AbortSignal.any([this.#signal, leaving.signal]);
    while (!signal.aborted) {
      await clock.sleep(this.#isFirstLook ? FIRST_LOOK_MS : LOOK_MS, signal).catch(() => {});
      this.#isFirstLook = false;
      if (signal.aborted) return;
      const isMissing = () => this.#log.rotation.isWaiting || this.#log.isSearching;
      if (this.#bytesSinceLook >= LOOK_BYTES || this.#owesLook || isMissing()) await this.#look(signal);
      const silentMs = clock.monotonicMs() - this.#heardAtMs;
      const isOver = isMissing() && silentMs > SILENCE_MS && this.#looksSinceHeard >= SILENT_LOOKS;
      if (isOver || silentMs > MAX_SILENCE_MS) leaving.abort();
    }
  }

  #noteHeard(): void {
    this.#heardAtMs = this.#options.clock.monotonicMs();
    this.#looksSinceHeard = 0;
  }

  async #look(signal: AbortSignal): Promise<void> {
    this.#owesLook = this.#bytesSinceLook >= LOOK_BYTES;
    this.#bytesSinceLook = 0;
    try {
      const head = await this.#options.source.head(HEAD_BYTES, this.#which(signal));
      this.#looksSinceHeard += 1;
      const length = prefixLength(head, 0);
      if (length <= 0) return;
      const time = head.toString("latin1", 0, length - 1);
      const hole = this.#log.rotation.noteHead(time, this.#log.position);
      this.#note("looks at the log's first line", { time, at: this.#log.position.time, isWaiting: this.#log.rotation.isWaiting });
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
      if (this.#log.isConfirmedBy(await this.#options.source.tail(lines, this.#which(this.#signal)))) return true;
    } catch (thrown) {
      this.#note("the log's end can't be read", { err: coerceError(thrown) });
    }
    return false;
  }

  async #pause(): Promise<void> {
    this.#failures += 1;
    if (this.#hasEnded()) this.#lateFailures += 1;
    await this.#options.clock.sleep(backoffMs(this.#failures - 1, FIRST_PAUSE_MS, MAX_PAUSE_MS), this.#signal).catch(() => {});
  }

  #note(message: string, fields: object): void {
    this.#options.logger.debug(fields, message);
  }
}
