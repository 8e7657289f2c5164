import type { Usual } from "./baseline.ts";

/** The limits of a check. */
interface Limits<L> {
  readonly limit?: L | undefined;
  readonly overrides?: readonly { readonly step: string; readonly limit: L; readonly reason?: string | undefined }[] | undefined;
}

/** What one step may come to; `reason` says why it is not as usual. */
export interface StepLimit<L> {
  readonly limit: L | undefined;
  readonly reason?: string | undefined;
  readonly usual?: Usual | undefined;
}

/** A limit of the step's own is the one that counts, and what is usual does not count beside it. `step` is undefined outside of steps. */
export function stepLimit<L>({ limit, overrides }: Limits<L>, step: string | undefined, usual: Usual | undefined): StepLimit<L> {
  return overrides?.find((each) => each.step === step) ?? { limit, usual };
}
