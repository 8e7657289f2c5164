import type { Clock } from "../../runtime/clock.ts";
import type { LiveAssignment } from "./assignment.ts";

const LOOK_EVERY_MS = 30_000;

interface Entry {
  readonly assignment: LiveAssignment;
  nextLookMs: number;
  /** When it was first seen that nobody waits; undefined while somebody does. */
  goneSinceMs: number | undefined;
}

/**
 * Looks now and then whether somebody still waits for each build of a connection: no server tells a worker that the client is gone. One
 * question at a time, each build every 30 s, and again when its grace is over.
 */
export class ClientWatch {
  readonly #clock: Clock;
  readonly #goneAfterMs: number;
  readonly #entries = new Map<LiveAssignment, Entry>();
  /** For the next look, due at that time; it may be a build's that has ended meanwhile. */
  #timer: { readonly dueMs: number; cancel(): void } | undefined;
  #isAsking: boolean = false;

  constructor(options: { clock: Clock; goneAfterMs: number }) {
    this.#clock = options.clock;
    this.#goneAfterMs = options.goneAfterMs;
  }

  add(assignment: LiveAssignment): void {
    const nextLookMs = this.#clock.monotonicMs() + this.#everyMs;
    this.#entries.set(assignment, { assignment, nextLookMs, goneSinceMs: undefined });
    if (this.#timer === undefined || this.#timer.dueMs > nextLookMs) this.#plan();
  }

  remove(assignment: LiveAssignment): void {
    this.#entries.delete(assignment);
  }

  /** The connection is gone. */
  clear(): void {
    this.#entries.clear();
    this.#isAsking = false;
    this.#plan();
  }

  get #everyMs(): number {
    return Math.min(LOOK_EVERY_MS, Math.max(1000, this.#goneAfterMs));
  }

  #plan(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isAsking) return;
    let next: Entry | undefined;
    for (const entry of this.#entries.values()) if (next === undefined || entry.nextLookMs < next.nextLookMs) next = entry;
    if (next === undefined) return;
    const entry = next;
    const cancel = this.#clock.schedule(entry.nextLookMs - this.#clock.monotonicMs(), () => this.#look(entry));
    this.#timer = { dueMs: entry.nextLookMs, cancel };
  }

  #look(entry: Entry): void {
    this.#timer = undefined;
    if (this.#entries.get(entry.assignment) !== entry) {
      this.#plan();
      return;
    }
    this.#isAsking = true;
    entry.assignment.askForClient(() => {
      this.#isAsking = false;
      this.#take(entry);
      this.#plan();
    });
  }

  #take(entry: Entry): void {
    const { assignment } = entry;
    const nowMs = this.#clock.monotonicMs();
    if (this.#entries.get(assignment) !== entry) return;
    if (assignment.hasClient) {
      entry.goneSinceMs = undefined;
      entry.nextLookMs = nowMs + this.#everyMs;
      return;
    }
    entry.goneSinceMs ??= nowMs;
    entry.nextLookMs = entry.goneSinceMs + this.#goneAfterMs;
    if (nowMs < entry.nextLookMs) return;
    this.#entries.delete(assignment);
    assignment.markClientGone();
  }
}
