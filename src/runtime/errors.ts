/**
 * Base of every error this program raises on purpose. `code` is stable and meant for machines (`TH_...`), the message is for people:
 * it names the place and the remedy. `retryable` says whether the same call may succeed later without anyone changing anything.
 */
export class TurboHipsterError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** Bad input from a person (a file, a flag, a resource). Commands print the message alone, without a stack, and exit 1. */
export class InputError extends TurboHipsterError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super("TH_INPUT", message, options);
  }
}

/** Too many are at it already; the message is a sentence for whoever asked, without its point. */
export class BusyError extends TurboHipsterError {
  constructor(message: string) {
    super("TH_BUSY", message, { retryable: true });
  }
}

/** What was thrown, as an Error; for every `catch`. */
export function coerceError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(typeof thrown === "string" ? thrown : `thrown: ${JSON.stringify(thrown)}`);
}

/** Whether the same call may succeed later without anyone changing anything. */
export function isRetryable(error: unknown): boolean {
  return error instanceof TurboHipsterError && error.retryable;
}
