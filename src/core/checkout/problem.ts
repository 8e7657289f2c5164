/** What was at fault when there is no checkout. `network` stands for all that may be gone at the next try; it never blames the change. */
export type CheckoutFault = "network" | "ref" | "configuration";

/**
 * How `turbo-hipster checkout` ends; the verdict table reads these from the pod's status. From sysexits.h (EX_UNAVAILABLE, EX_DATAERR,
 * EX_CONFIG), because no shell, signal or crash produces them. `stopped` is 128 + SIGTERM, as a shell reports it.
 */
export const CHECKOUT_EXIT_CODES = { ok: 0, network: 69, ref: 65, configuration: 78, stopped: 143 } as const;

/** `message` is for the people who read the result; the command cleans it to the rules of result texts before it leaves. */
export interface CheckoutProblem {
  fault: CheckoutFault;
  message: string;
}

/** Carries a problem out of the steps of planning and of the checkout itself; never leaves either. */
export class CheckoutError extends Error {
  readonly problem: CheckoutProblem;

  constructor(fault: CheckoutFault, message: string) {
    super(message);
    this.problem = { fault, message };
  }

  static of(problem: CheckoutProblem): CheckoutError {
    return new CheckoutError(problem.fault, problem.message);
  }
}
