import { isOurs, type Lease, MAX_JITTER_MS, versionOf } from "../../core/replicas/leadership.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Beginnings of holding that are remembered: a write of which nobody knows whether it was done may show up late. */
const MAX_TENURES = 10;

export interface LeaseSightOptions {
  replica: string;
  clock: Clock;
  /** As the watch shows it: undefined while nothing is known of it, null where there is none. */
  cached(): Lease | null | undefined;
}

/** A state of the Lease, since when it is seen, and whether the API server has said so itself since. */
export interface Seen {
  readonly key: string;
  readonly atMs: number;
  readonly jitterMs: number;
  confirmedAtMs: number | undefined;
}

/** Since when this replica says that it holds the Lease. */
export interface Tenure {
  readonly began: Date;
  /** Only what is sent from then on makes it the holder; undefined: that is known once the API server has answered. */
  holdsFromMs: number | undefined;
}

/** The holder's Lease as one replica sees it, and which of its states this replica has written itself. */
export class LeaseSight {
  readonly #options: LeaseSightOptions;
  #seen: Seen | undefined;
  #wasSeen = false;
  #tenures: Tenure[] = [];

  constructor(options: LeaseSightOptions) {
    this.#options = options;
  }

  /** Whether there has ever been one. */
  get wasSeen(): boolean {
    return this.#wasSeen;
  }

  /** The beginnings of holding that it may name as this replica's. */
  get began(): Date[] {
    return this.#tenures.map(({ began }) => began);
  }

  /** Looks at it: a state that is new is seen since now. */
  look(): Seen {
    const { cached, clock } = this.#options;
    const lease = cached();
    const key = lease ? versionOf(lease) : String(lease);
    if (this.#seen?.key === key) return this.#seen;
    const seen = { key, atMs: clock.monotonicMs(), confirmedAtMs: undefined, jitterMs: Math.random() * MAX_JITTER_MS };
    this.#seen = seen;
    if (lease) this.#wasSeen = true;
    // Whatever we have sent was for an older state. Should our words stand there again, then somebody else has put them there.
    if (lease && !this.tenureOf(lease)) this.#tenures = [];
    return seen;
  }

  /** The API server, asked at `askedAtMs`, has put into the cache what there is: unless that is news, it confirms what was seen. */
  confirm(askedAtMs: number): void {
    const key = this.#seen?.key;
    const seen = this.look();
    if (seen.key === key) seen.confirmedAtMs = askedAtMs;
  }

  tenureOf(lease: Lease): Tenure | undefined {
    return this.#tenures.find(({ began }) => isOurs(lease, this.#options.replica, [began]));
  }

  /** For a write that would make this replica the holder, see `Tenure`. */
  beginTenure(holdsFromMs: number | undefined): Tenure {
    const tenure = { began: this.#options.clock.now(), holdsFromMs };
    this.#tenures = [...this.#tenures, tenure].slice(-MAX_TENURES);
    return tenure;
  }
}
