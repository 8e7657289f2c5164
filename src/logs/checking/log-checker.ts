import { baselineOf, type KeptAmounts } from "../../core/checks/baseline.ts";
import { judgeChecks, judgeWithoutLog, type LogTrouble } from "../../core/checks/checks-verdict.ts";
import { isComparable, readComparedBuild } from "../../core/checks/compared-build.ts";
import { readChecks } from "../../core/checks/job-checks.ts";
import type { Job } from "../../core/kubernetes/objects.ts";
import type { Check } from "../../core/test-task/schema/check.ts";
import type { Verdict } from "../../core/verdict/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { LogSpool } from "../follow/log-spool.ts";
import type { BuildRecording } from "../recording/build-recording.ts";
import type { LogStore } from "../stores/log-store.ts";
import { type CheckThread, SlowChecksError } from "./check-thread.ts";
import { readCheckedValues } from "./checked-values.ts";
import type { KeptBuilds } from "./kept-builds.ts";

const READ_BYTES = 256 * 1024;
/** How long a log whose container has ended is waited for: as long as it is tried to be read, see `followLog`. */
const LOG_MS = 6 * 60_000;
/** A recording that is about to begin, or to be taken up again, is looked for so often. */
const LOOK_MS = 100;
/** How long it may take to read what baselines are made of, all waiting for a store that is asked by many included. */
const KEPT_MS = 2 * 60_000;

export interface LogCheckerOptions {
  recorder: { of(uid: string | undefined): Pick<BuildRecording, "testLog" | "directory" | "masker"> | undefined };
  store: LogStore;
  thread: Pick<CheckThread, "check">;
  kept: Pick<KeptBuilds, "amountsFor">;
  /** As the configuration says it: of a log that is kept. */
  limit: string;
  clock: Clock;
  logger: Logger;
}

/**
 * Checks the log of a test that has ended, as it is kept: masked, and as far as this replica has followed it. What can't be read is told as it is; a
 * log that is checked again, by another replica or after a restart, gives the same again, as far as no other build has been kept meanwhile that a
 * baseline is made of.
 */
export class LogChecker {
  readonly #options: LogCheckerOptions;

  constructor(options: LogCheckerOptions) {
    this.#options = options;
  }

  /** What the checks of the Job make of the verdict on its test. Rejects with the reason of `signal`, and with nothing else. */
  async check(job: Job, passed: Verdict, signal: AbortSignal): Promise<Verdict> {
    const { logger } = this.#options;
    const checks = readChecks(job);
    if (checks === "spoilt") return judgeWithoutLog(passed, { kind: "fault", why: "the Job does not say any more what its checks are" });
    try {
      const log = await this.#endedLog(job, signal);
      if ("kind" in log) return judgeWithoutLog(passed, log);
      const { store, thread, recorder } = this.#options;
      const directory = recorder.of(job.metadata.uid)?.directory;
      const values = await readCheckedValues(checks, { store, directory }, signal);
      const kept = await this.#readKept(job, checks, signal);
      const { times, size: bytes } = log;
      const whole = { checks, times: times.entries, lastMs: times.lastMs, bytes, chunks: () => readWhole(log), values, kept };
      return judgeChecks(passed, await thread.check(whole, signal));
    } catch (thrown) {
      signal.throwIfAborted();
      const error = coerceError(thrown);
      logger.warn({ err: error, job: job.metadata.name }, "could not check a log");
      return judgeWithoutLog(passed, { kind: error instanceof SlowChecksError ? "fault" : "unread", why: error.message });
    }
  }

  /** What baselines are made of: rejects as the store does, and where that takes too long. */
  async #readKept(job: Job, checks: readonly Check[], signal: AbortSignal): Promise<ReadonlyMap<string, KeptAmounts>> {
    if (!checks.some(baselineOf)) return new Map();
    const { kept, clock } = this.#options;
    const build = readComparedBuild(job);
    if (!build) throw new Error("the Job does not say any more which kept builds it can be compared with");
    const late = new AbortController();
    const cancel = clock.schedule(KEPT_MS, () => late.abort(new Error("the kept builds that it is compared with were not read in time")));
    const either = AbortSignal.any([signal, late.signal]);
    // A disk that hangs takes no notice of a signal.
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(either.reason);
    either.addEventListener("abort", onAbort, { once: true });
    try {
      const isWanted: Parameters<KeptBuilds["amountsFor"]>[2] = (report, branch) => isComparable(report, { ...build, branch });
      return await Promise.race([kept.amountsFor(checks, build, isWanted, either), ended]);
    } finally {
      either.removeEventListener("abort", onAbort);
      cancel();
    }
  }

  /** Once all of it is there. */
  async #endedLog(job: Job, signal: AbortSignal): Promise<LogSpool | LogTrouble> {
    const { recorder, clock, limit } = this.#options;
    const untilMs = clock.monotonicMs() + LOG_MS;
    for (;;) {
      signal.throwIfAborted();
      const recording = recorder.of(job.metadata.uid);
      const log = recording?.testLog;
      const spool = log?.spool;
      if (spool?.isEnded && !log?.isTaken) return troubleOf(spool, limit) ?? spool;
      if (clock.monotonicMs() >= untilMs) {
        const why = recording && !recording.masker ? "the Secrets that its pod names can not be read" : log?.problem;
        return {
          kind: "unread",
          why: `the log could not be read whole, so that it can not be checked${why === undefined ? "" : ` - ${why}`}`,
        };
      }
      await grown(spool, clock, signal);
    }
  }
}

function troubleOf({ holes, cut }: LogSpool, limit: string): LogTrouble | undefined {
  const [hole] = holes;
  if (hole) {
    const where = hole.after === "" ? "its beginning" : `lines after ${hole.after}`;
    return { kind: "unread", why: `the node has thrown away ${where} of the log before it was read, so that it can not be checked` };
  }
  return cut && { kind: "cut", why: `the log is longer than the ${limit} that are kept, so that checks can not read its middle` };
}

/** Until there is more of it, or it may be another one. */
async function grown(spool: LogSpool | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = spool?.onGrowth(resolve);
  const cancel = clock.schedule(LOOK_MS, resolve);
  const abort = () => resolve();
  signal.addEventListener("abort", abort);
  await promise;
  signal.removeEventListener("abort", abort);
  cancel();
  stop?.();
}

async function* readWhole(spool: LogSpool): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < spool.size; ) {
    const { bytes, offset: at } = await spool.read(offset, READ_BYTES);
    if (bytes.length === 0 || at !== offset) throw new Error(`byte ${offset} of ${spool.size} of the log is not there any more`);
    yield bytes;
    offset += bytes.length;
  }
}
