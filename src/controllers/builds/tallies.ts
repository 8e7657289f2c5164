/** The build of a TestTask that ended last. */
export interface LastBuild {
  number: string;
  /** As Zuul got it; null when Zuul runs the build again. */
  result: string | null;
  url: string;
  /** RFC 3339, whole seconds. */
  finishedAt: string;
}

export interface Wait {
  words: string;
  /** Of a monotonic clock. */
  sinceMs: number;
}

export interface TalliesOptions {
  /** A build of some TestTask has begun or ended. */
  onActivity(): void;
  /** How many builds wait for room in the cluster has changed. */
  onPending(count: number): void;
}

/** Counts the builds of this replica. Keys are `namespace/name` of TestTasks. */
export class Tallies {
  readonly #options: TalliesOptions;
  readonly #active = new Map<string, number>();
  readonly #last = new Map<string, LastBuild>();
  readonly #pendingOf = new Map<string, number>();
  /** Of builds that no node takes, by TestTask and number: what the scheduler says. */
  readonly #waits = new Map<string, Map<string, Wait>>();
  #pending = 0;

  constructor(options: TalliesOptions) {
    this.#options = options;
  }

  /** How many are under way, by TestTask; those without any are left out. */
  get active(): ReadonlyMap<string, number> {
    return this.#active;
  }

  /** How many wait for room in the cluster. */
  get pending(): number {
    return this.#pending;
  }

  /** The same by TestTask; those without any are left out. */
  get pendingByTask(): ReadonlyMap<string, number> {
    return this.#pendingOf;
  }

  /** How many builds of a TestTask no node takes by the scheduler's words, and those of the first of them. */
  waitOf(taskKey: string): { builds: number; first: Wait } | undefined {
    const waits = [...(this.#waits.get(taskKey)?.values() ?? [])];
    const [first] = waits.sort((a, b) => a.sinceMs - b.sinceMs);
    return first && { builds: waits.length, first };
  }

  /** The scheduler says this of a build, or nothing any more. */
  noteWait(taskKey: string, number: string, wait: Wait | undefined): void {
    const waits = this.#waits.get(taskKey) ?? new Map<string, Wait>();
    if (wait) this.#waits.set(taskKey, waits.set(number, wait));
    else waits.delete(number);
    if (waits.size === 0) this.#waits.delete(taskKey);
    this.#options.onActivity();
  }

  activeOf(taskKey: string): number {
    return this.#active.get(taskKey) ?? 0;
  }

  lastOf(taskKey: string): LastBuild | undefined {
    return this.#last.get(taskKey);
  }

  noteBegin(taskKey: string): void {
    this.#active.set(taskKey, this.activeOf(taskKey) + 1);
    this.#countPending(taskKey, 1);
    this.#options.onActivity();
  }

  /** A build that has begun waits for room no longer. */
  notePlaced(taskKey: string): void {
    this.#countPending(taskKey, -1);
  }

  /** `last`: how it ended; undefined for one that goes on elsewhere. */
  noteEnd(taskKey: string, last: LastBuild | undefined): void {
    if (last) this.#last.set(taskKey, last);
    const left = this.activeOf(taskKey) - 1;
    if (left > 0) this.#active.set(taskKey, left);
    else this.#active.delete(taskKey);
    this.#options.onPending(this.#pending);
    this.#options.onActivity();
  }

  /** Forgets how builds of tasks that are not there any more have ended. */
  keep(taskKeys: { has(taskKey: string): boolean }): void {
    for (const key of this.#last.keys()) if (!taskKeys.has(key)) this.#last.delete(key);
  }

  #countPending(taskKey: string, change: number): void {
    this.#pending += change;
    const pending = (this.#pendingOf.get(taskKey) ?? 0) + change;
    if (pending > 0) this.#pendingOf.set(taskKey, pending);
    else this.#pendingOf.delete(taskKey);
    this.#options.onPending(this.#pending);
  }
}
