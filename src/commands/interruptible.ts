import { InputError } from "../runtime/errors.ts";

/** Does a command's work, which resolves to its exit code. SIGINT and SIGTERM abort the signal, with an InputError. */
export async function runInterruptible(work: (signal: AbortSignal) => Promise<number>): Promise<void> {
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort(new InputError("interrupted"));
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    process.exitCode = await work(interrupt.signal);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}
