import assert from "node:assert/strict";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { connectGearmanClient, type GearmanClient, type SubmissionEvent } from "../../../../src/gearman/client/gearman-client.ts";
import {
  type GearmanLink,
  type GearmanLinkOptions,
  makeGearmanLink,
  type ServerState,
} from "../../../../src/gearman/worker/gearman-link.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import type { SlotPool } from "../../../../src/runtime/slot.ts";
import { adminStatus, type FunctionStatus, type GearmanServer } from "../../../support/gearman/gearman-server.ts";
import { processClock } from "../../../support/process-clock.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

/** Longer than anything here takes by the process's clock, so that a test which waits for what never comes says so. */
const WAIT_MS = 15_000;

/** What arrives by callback, to be awaited in order. */
export class Inbox<Item> {
  readonly items: Item[] = [];
  #read = 0;
  #listeners: (() => void)[] = [];

  push(item: Item): void {
    this.items.push(item);
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** The next one not yet returned. */
  async next(): Promise<Item> {
    await this.until((items) => items.length > this.#read);
    this.#read += 1;
    return this.items[this.#read - 1] as Item;
  }

  async until(isTrue: (items: readonly Item[]) => boolean): Promise<void> {
    while (!isTrue(this.items)) {
      const arrived = Promise.withResolvers<void>();
      this.#listeners.push(arrived.resolve);
      await within(arrived.promise, () => `nothing more arrived after ${this.items.length} items`);
    }
  }
}

/** Rejects when `promise` takes longer than a test ever waits. */
export async function within<Value>(promise: Promise<Value>, explain: () => string, waitMs = WAIT_MS): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const cancelTimer = processClock.schedule(waitMs, () => late.reject(new Error(`${explain()} (waited ${waitMs} ms)`)));
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    cancelTimer();
  }
}

export interface TestLink extends AsyncDisposable {
  readonly link: GearmanLink;
  readonly assignments: Inbox<Assignment>;
  readonly stops: Inbox<{ payload: string; server: string }>;
  /** Resolves when `isTrue` holds for the state of every server. */
  until(isTrue: (state: ServerState) => boolean): Promise<void>;
}

/** A started link to real servers. */
export async function startTestLink(servers: readonly string[], options: Partial<GearmanLinkOptions> = {}): Promise<TestLink> {
  const assignments = new Inbox<Assignment>();
  const stops = new Inbox<{ payload: string; server: string }>();
  const link = makeGearmanLink({
    servers,
    clientId: "turbo-hipster/test/here",
    managerName: "turbo-hipster-test",
    onAssignment: (assignment) => assignments.push(assignment),
    isAwaited: () => false,
    onStop: (payload, server) => stops.push({ payload: payload.toString("latin1"), server }),
    logger: silentLogger,
    clock: systemClock,
    ...options,
  });
  await link.start();
  return {
    link,
    assignments,
    stops,
    async until(isTrue) {
      const reached = Promise.withResolvers<void>();
      const check = () => {
        if (link.servers.every(isTrue)) reached.resolve();
      };
      const leave = link.onChange(check);
      check();
      try {
        await within(reached.promise, () => `the servers are ${JSON.stringify(link.servers)}`);
      } finally {
        leave();
      }
    },
    async [Symbol.asyncDispose]() {
      await link.stop();
    },
  };
}

export function connectTestClient(server: GearmanServer): Promise<GearmanClient> {
  return connectGearmanClient({ server: server.address, clock: systemClock });
}

/** Asks the server's admin port again and again until `isTrue` holds. */
export async function untilStatus(
  server: GearmanServer,
  isTrue: (status: ReadonlyMap<string, FunctionStatus>) => boolean,
): Promise<ReadonlyMap<string, FunctionStatus>> {
  let isLate = false;
  const cancelTimer = processClock.schedule(WAIT_MS, () => {
    isLate = true;
  });
  try {
    for (;;) {
      const status = await adminStatus(server.address);
      if (isTrue(status)) return status;
      assert.ok(!isLate, `status is still ${JSON.stringify([...status])}`);
    }
  } finally {
    cancelTimer();
  }
}

export interface SubmittedBuild {
  readonly events: Inbox<SubmissionEvent>;
  readonly handle: Promise<string>;
  /** Kinds of all events so far. */
  kinds(): string[];
  /** The last event, awaited. */
  end(): Promise<SubmissionEvent>;
}

export function submitBuild(
  client: GearmanClient,
  functionName: string,
  unique: string,
  payload: string | Uint8Array = "{}",
): SubmittedBuild {
  const events = new Inbox<SubmissionEvent>();
  const submission = client.submit({ functionName, unique, payload, onEvent: (event) => events.push(event) });
  return {
    events,
    handle: submission.handle,
    kinds: () => events.items.map((event) => event.kind),
    end: () =>
      within(submission.ended, () => `${functionName} ${unique} has not ended, events: ${events.items.map((event) => event.kind)}`),
  };
}

export async function untilLost(assignment: Assignment): Promise<void> {
  const { lost } = assignment;
  if (lost.aborted) return;
  const aborted = new Promise((resolve) => lost.addEventListener("abort", resolve, { once: true }));
  await within(aborted, () => `${assignment.functionName} is not lost`);
}

/** A lane that has just finished a build holds a slot until the server has said that there is no other. */
export async function untilAllFree(slots: SlotPool): Promise<void> {
  const free = Promise.withResolvers<void>();
  const check = () => {
    if (slots.used === 0) free.resolve();
  };
  const leave = slots.onFree(check);
  check();
  await within(free.promise, () => `${slots.used} slots are still in use`);
  leave();
}

/** Sockets and timers of this process by kind, without those that were already destroyed when it was called. */
export async function countHandles(): Promise<Record<string, number>> {
  // The loop runs its close callbacks after setImmediate's: two turns, and all of them have run.
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    if (kind === "TCPSocketWrap" || kind === "TCPServerWrap" || kind === "Timeout") counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
