import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import type { LogsConfig } from "../../core/logs/store-config.ts";
import type { LogStore } from "../../logs/stores/log-store.ts";
import { makeLogStore } from "../../logs/stores/make-log-store.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError, InputError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { type Finding, failed, ok, unseen } from "./finding.ts";
import { type DoctorWorld, look } from "./look.ts";

const WHAT = "log store";
const REMEDY =
  "docs/logs.md says what a store needs: a directory that is there and that user 1000 may write, or a bucket and its credentials";

/** The file is removed even when the look is over: for so long, and no longer. */
const REMOVE_MS = 5_000;

/** Stores a small file as the operator would, reads it, and removes it. */
export async function lookAtStore(config: LogsConfig, world: DoctorWorld): Promise<Finding[]> {
  if (config.store === "none") return [unseen(WHAT, "logs.store is none: a build's log is kept as long as its Job, and no artifacts are")];
  const attempts = new LastAttempt();
  let trying: Promise<Finding[]> | undefined;
  const work = async (signal: AbortSignal) => {
    const store = await makeLogStore(config, { clock: world.clock, logger: attempts });
    if (!store) return [];
    try {
      return [await tryStore(store, world.clock, signal)];
    } finally {
      store.close();
    }
  };
  try {
    return await look(
      world,
      (signal) => {
        trying = work(signal);
        return trying;
      },
      (why) => [failed(WHAT, attempts.message ?? why, REMEDY)],
    );
  } finally {
    await settledWithin(trying, REMOVE_MS, world.clock);
  }
}

/** Waits until it has come to its end, whichever, or the time has passed. */
async function settledWithin(work: Promise<unknown> | undefined, limitMs: number, clock: Clock): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const cancel = clock.schedule(limitMs, resolve);
  await Promise.race([Promise.allSettled([work]), late]).finally(cancel);
}

/** `signal` ends it, but for the removal of what it has stored, which has `REMOVE_MS`. */
export async function tryStore(store: LogStore, clock: Clock, signal: AbortSignal): Promise<Finding> {
  // Nothing of the program's own has such a name, so that what a crash leaves behind is known for what it is.
  const path = `doctor/${randomUUID()}.txt`;
  const written = `turbo-hipster doctor, ${clock.now().toISOString()}\n`;
  await store.putText(path, written, signal);
  try {
    const part = await store.read(path, { start: 0, end: written.length }, signal);
    const read = part === undefined ? undefined : await text(part.body);
    if (read !== written) return failed(WHAT, `${store.name} took a file of ${written.length} bytes, and gives back another`, REMEDY);
  } finally {
    await removeFile(store, path, clock);
  }
  if ((await store.stat(path, signal)) !== undefined) return failed(WHAT, `${store.name} does not remove ${path}`, REMEDY);
  return ok(WHAT, `${store.name} takes a file, gives it back and removes it`);
}

async function removeFile(store: LogStore, path: string, clock: Clock): Promise<void> {
  const late = new AbortController();
  const cancel = clock.schedule(REMOVE_MS, () => late.abort(new InputError(`${store.name} did not remove ${path} in time`)));
  try {
    await store.remove(path, late.signal);
  } finally {
    cancel();
  }
}

/** A store tries again for longer than a look lasts, and tells its log why. */
class LastAttempt implements Logger {
  message: string | undefined;

  debug(): void {}
  info(): void {}
  error(): void {}
  warn(fields: { err?: unknown }): void {
    if (fields.err !== undefined) this.message = coerceError(fields.err).message;
  }
  child(): Logger {
    return this;
  }
}
