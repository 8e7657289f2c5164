import { InputError } from "../runtime/errors.ts";

/**
 * Does a command's work, which resolves to its exit code. SIGINT and SIGTERM abort the signal, with an InputError; when they come again,
 * `leave`: for work that sees something to its end when it is interrupted.
 */
export async function runInterruptible(work: (signal: AbortSignal, leave: AbortSignal) => Promise<number>): Promise<void> {
  const interrupt = new AbortController();
  const leave = new AbortController();
  const onSignal = () => (interrupt.signal.aborted ? leave : interrupt).abort(new InputError("interrupted"));
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    process.exitCode = await work(interrupt.signal, leave.signal);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}
