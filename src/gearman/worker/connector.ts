import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import { makeWorkerLimits, type PacketLimits } from "../wire/codec.ts";
import { Connection, type ConnectionTimes, type OpenConnection } from "../wire/connection.ts";
import { GearmanError } from "../wire/gearman-error.ts";
import type { PacketType } from "../wire/packet.ts";

/** What a connection is for. Each role has at most one at a time; the connector opens it and opens it again. */
export interface Role {
  /** For the client id and for logs. */
  readonly name: string;
  /** Payloads above this are cut; the codec's default when undefined. */
  readonly payloadLimitBytes: number | undefined;
  /** While false, no new connection is opened for it. */
  readonly wantsConnection: boolean;
  /** TCP is established: announce what this connection is. */
  onOpen(connection: OpenConnection): void;
  /** The server has read and answered what `onOpen` sent. */
  onReady(): void;
  onPacket(type: PacketType, body: Buffer, bodyBytes: number): void;
  /** The connection given to `onOpen` is gone. Not called for an attempt that did not come that far. */
  onClose(reason: GearmanError): void;
}

export interface ConnectorOptions {
  readonly server: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly times?: Partial<ConnectionTimes>;
  readonly random?: () => number;
  /** An attempt failed or a connection was lost. */
  onTrouble(role: Role, reason: GearmanError): void;
}

/**
 * Zuul waits 5 s for the first function after its own server's start, then answers NOT_REGISTERED: being back within 2 s matters more than
 * sparing a server that is down one attempt a second. So the delay does not grow; the random part spreads the workers.
 */
const MIN_RECONNECT_MS = 250;
const MAX_RECONNECT_MS = 1250;

interface Entry {
  readonly role: Role;
  connection?: Connection;
  /** `onOpen` has been called for `connection`. */
  isOpened: boolean;
  notBeforeMs: number;
}

/**
 * Keeps the connections of one server, in the order in which the roles were added. They are opened one after another, each when the server
 * has answered on the one before: geard queues only one connection that it has not accepted yet, and a further one waits for whole
 * seconds of TCP's retries.
 */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #entries: Entry[] = [];
  #opening: Entry | undefined;
  #isRunning: boolean = false;
  #cancelTimer: (() => void) | undefined;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isRunning = true;
    this.wake();
  }

  /** Destroys every connection; resolves when all of them are closed. The roles' `onClose` have been called by then. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#cancelTimer?.();
    const closed = this.#entries.map((entry) => entry.connection?.closed);
    const reason = new GearmanError("TH_GEARMAN_STOPPED", `the link to ${this.#options.server} was stopped`);
    for (const entry of this.#entries) entry.connection?.destroy(reason);
    await Promise.all(closed);
  }

  add(role: Role): void {
    this.#entries.push({ role, isOpened: false, notBeforeMs: 0 });
    this.wake();
  }

  /** Forgets the role and destroys its connection, if any; its `onClose` may still follow. */
  remove(role: Role): void {
    const index = this.#entries.findIndex((entry) => entry.role === role);
    const [entry] = index === -1 ? [] : this.#entries.splice(index, 1);
    entry?.connection?.destroy(new GearmanError("TH_GEARMAN_STOPPED", `${role.name} is not needed any more`));
  }

  /** Opens the next connection that is wanted and due. Call it when a role's `wantsConnection` may have become true. */
  wake(): void {
    if (!this.#isRunning || this.#opening !== undefined) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const now = this.#options.clock.monotonicMs();
    const idle = this.#entries.filter((entry) => entry.connection === undefined && entry.role.wantsConnection);
    const next = idle.find((entry) => entry.notBeforeMs <= now);
    if (next !== undefined) {
      this.#open(next);
    } else if (idle.length > 0) {
      const dueMs = Math.min(...idle.map((entry) => entry.notBeforeMs));
      this.#cancelTimer = this.#options.clock.schedule(dueMs - now, () => this.wake());
    }
  }

  #open(entry: Entry): void {
    const { server, clock, times } = this.#options;
    const { role } = entry;
    const limits: PacketLimits = makeWorkerLimits(role.payloadLimitBytes);
    this.#opening = entry;
    const connection = new Connection({
      server,
      limits,
      clock,
      ...(times === undefined ? {} : { times }),
      onOpen: () => {
        entry.isOpened = true;
        role.onOpen(connection);
        connection.requestProof((isProven) => {
          if (isProven) this.#finishOpening(entry);
        });
      },
      onPacket: (type, body, bodyBytes) => role.onPacket(type, body, bodyBytes),
      onClose: (reason) => this.#takeClose(entry, reason),
    });
    entry.connection = connection;
  }

  #finishOpening(entry: Entry): void {
    if (this.#opening === entry) this.#opening = undefined;
    this.#options.logger.debug({ server: this.#options.server, role: entry.role.name }, "opened a connection");
    entry.role.onReady();
    this.wake();
  }

  #takeClose(entry: Entry, reason: GearmanError): void {
    const wasOpened = entry.isOpened;
    const wasOpening = this.#opening === entry;
    delete entry.connection;
    entry.isOpened = false;
    if (wasOpening) this.#opening = undefined;
    entry.notBeforeMs = this.#options.clock.monotonicMs() + this.#reconnectDelayMs();
    // The server is not there for this one: it will not be there for the others either.
    if (wasOpening && !wasOpened) for (const other of this.#entries) other.notBeforeMs = Math.max(other.notBeforeMs, entry.notBeforeMs);
    if (wasOpened) entry.role.onClose(reason);
    if (reason.code !== "TH_GEARMAN_STOPPED") this.#options.onTrouble(entry.role, reason);
    this.wake();
  }

  #reconnectDelayMs(): number {
    const random = this.#options.random ?? Math.random;
    return MIN_RECONNECT_MS + (MAX_RECONNECT_MS - MIN_RECONNECT_MS) * random();
  }
}
