/** One build that left something large. */
export interface Recorded {
  store: string;
  what: "log" | "artifacts";
  /** Of them, as they lie in the store. */
  bytes: number;
  /** Places of the log where the node had thrown lines away before they were read. */
  holes: number;
  /** From the request until Zuul had its answer, and until all of it was stored. */
  seconds: { answered: number; stored: number };
  /** Of the operator, at most resident so far: with builds of a twentieth of the size before, and with this one, in MB. */
  operatorMb: { small: number; large: number };
  /** Of the collector's process at most, in MB. */
  collectorMb?: number;
}

/** A collector stays below this, whatever it sends. */
const COLLECTOR_MB = 100;
/** What an operator may have resident more at most than with a small build: chunks on their way are garbage for a moment, and more of it. */
const GROWTH_MB = 64;

export function isFlat({ operatorMb: { small, large }, collectorMb = 0 }: Recorded): boolean {
  return collectorMb < COLLECTOR_MB && large - small <= GROWTH_MB;
}

/** For people. */
export function renderRecorded(recorded: Recorded): string {
  const { store, what, bytes, holes, seconds, operatorMb, collectorMb } = recorded;
  return [
    `${store}: ${(bytes / 1e6).toFixed(1)} MB of ${what}${holes > 0 ? ` with ${holes} holes` : ""}`,
    `answered after ${seconds.answered.toFixed(1)} s, stored after ${seconds.stored.toFixed(1)} s`,
    `operator at most ${operatorMb.large} MB (${operatorMb.small} MB with a twentieth of it)`,
    ...(collectorMb === undefined ? [] : [`collector at most ${collectorMb} MB`]),
    isFlat(recorded) ? "met" : `MISSED: at most ${GROWTH_MB} MB more, and a collector below ${COLLECTOR_MB} MB`,
  ].join("; ");
}
