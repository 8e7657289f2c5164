import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import { Throttle } from "../../runtime/throttle.ts";
import { encodePacket, PacketDecoder, type PacketLimits, splitFields } from "./codec.ts";
import { GearmanError } from "./gearman-error.ts";
import { PACKET, type PacketType } from "./packet.ts";
import { parseServerAddress } from "./server-address.ts";

export interface ConnectionTimes {
  /** From the start of the attempt to an established connection, name lookup included. */
  readonly connectMs: number;
  /** Between two heartbeats. */
  readonly heartbeatMs: number;
  /** A GET_STATUS that has no answer after this proves the connection dead. Found out at the next heartbeat. */
  readonly answerMs: number;
  /** Silence after which the kernel starts probing the peer (then once a second, ten times). */
  readonly keepAliveMs: number;
}

/** geard may stall for 20 s over one large payload of somebody else's; a dead peer is found within 75 s by these. */
const DEFAULT_CONNECTION_TIMES: ConnectionTimes = { connectMs: 10_000, heartbeatMs: 15_000, answerMs: 60_000, keepAliveMs: 15_000 };

/** What may wait unsent; above it the peer is taken for dead. One packet may exceed it. */
const DEFAULT_MAX_UNSENT_BYTES = 16 * 1024 * 1024;

/** What is no answer to the server leaves no more often than this: builds that come by the hundred say a few words each, and a write costs more than they do. */
const LEAST_WRITE_MS = 20;

/** A handle that no server gives out; asking for its status is the only question that both servers answer at any time. */
const HEARTBEAT_HANDLE = "H:turbo-hipster:heartbeat";

export interface ConnectionOptions {
  /** "host:port". */
  readonly server: string;
  readonly limits: PacketLimits;
  readonly clock: Clock;
  readonly times?: Partial<ConnectionTimes>;
  readonly maxUnsentBytes?: number;
  /** By which writes are paced. Default: the machine's own, by which a peer waits for them. */
  readonly paceClock?: Clock;
  /** Default: TCP. */
  readonly connect?: (to: TcpNetConnectOpts) => Socket;
  /** TCP is established. What it sends leaves in one piece. */
  onOpen(): void;
  /** Every packet but STATUS_RES, synchronously from the socket's data event. What it throws ends the connection. */
  onPacket(type: PacketType, body: Buffer, bodyBytes: number): void;
  /** Exactly once for each connection that was opened, also when it never came about; never from within a call of ours. */
  onClose(reason: GearmanError): void;
}

/** What STATUS_RES says about a job. */
export interface HandleStatus {
  readonly isKnown: boolean;
  readonly isRunning: boolean;
  readonly numerator: number;
  readonly denominator: number;
}

interface StatusRequest {
  readonly askedAtMs: number;
  readonly onAnswer: (status: HandleStatus | undefined) => void;
}

/**
 * One TCP connection to a Gearman server, from the attempt on. It ends by itself (and says why in `onClose`) when the peer closes or resets
 * it, breaks the protocol, is silent for too long or takes nothing off it.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #times: ConnectionTimes;
  readonly #maxUnsentBytes: number;
  readonly #writing: Throttle;
  readonly #socket: Socket;
  readonly #decoder: PacketDecoder;
  /** By handle, oldest first. The same handle may be asked for more than once. */
  readonly #statusRequests = new Map<string, StatusRequest[]>();
  readonly #closed = Promise.withResolvers<void>();
  #reason: GearmanError | undefined;
  #isOpen: boolean = false;
  #isPerforming: boolean = false;
  /** What waits to be written, and its bytes. */
  #held: Buffer[] = [];
  #heldBytes: number = 0;
  #cancelTimer: () => void;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#times = { ...DEFAULT_CONNECTION_TIMES, ...options.times };
    this.#maxUnsentBytes = options.maxUnsentBytes ?? DEFAULT_MAX_UNSENT_BYTES;
    this.#writing = new Throttle({ leastMs: LEAST_WRITE_MS, clock: options.paceClock ?? systemClock, work: () => this.#write() });
    this.#decoder = new PacketDecoder(options.limits, (type, body, bodyBytes) => this.#take(type, body, bodyBytes));
    this.#cancelTimer = options.clock.schedule(this.#times.connectMs, () => {
      this.destroy(new GearmanError("TH_GEARMAN_CONNECT", `no connection to ${options.server} within ${this.#times.connectMs} ms`));
    });
    const { host, port } = parseServerAddress(options.server);
    const open = options.connect ?? connect;
    this.#socket = open({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: this.#times.keepAliveMs });
    this.#socket.on("connect", () => this.#begin());
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("end", () => this.destroy(new GearmanError("TH_GEARMAN_LOST", `${options.server} closed the connection`)));
    this.#socket.on("error", (error) => this.destroy(this.#explain(error)));
    this.#socket.on("close", () => this.#finish());
  }

  /** Established and not about to close. */
  get isOpen(): boolean {
    return this.#isOpen && this.#reason === undefined;
  }

  /** Resolves after `onClose`, when nothing is left of it. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Sent when the event loop has done what it has to do, or 20 ms after what was sent before. After the end, or before `onOpen`, it goes nowhere. */
  send(packet: Buffer): void {
    if (!this.isOpen) return;
    const unsentBytes = this.#socket.writableLength + this.#heldBytes;
    if (unsentBytes > this.#maxUnsentBytes) {
      this.destroy(new GearmanError("TH_GEARMAN_BACKLOG", `${this.#options.server} has left ${unsentBytes} bytes unread`));
      return;
    }
    this.#held.push(packet);
    this.#heldBytes += packet.length;
    if (!this.#isPerforming) this.#writing.ask();
  }

  /**
   * Sends GET_STATUS. `onAnswer` is called once: with what STATUS_RES says, which also proves that the server has read all that was sent
   * before; or with undefined when the connection ended first.
   */
  requestStatus(handle: Buffer | string, onAnswer: (status: HandleStatus | undefined) => void): void {
    if (!this.isOpen) {
      process.nextTick(onAnswer, undefined);
      return;
    }
    const key = typeof handle === "string" ? handle : handle.toString("latin1");
    const request = { askedAtMs: this.#options.clock.monotonicMs(), onAnswer };
    const sameHandle = this.#statusRequests.get(key);
    if (sameHandle === undefined) this.#statusRequests.set(key, [request]);
    else sameHandle.push(request);
    this.send(encodePacket(PACKET.GET_STATUS, [handle]));
  }

  /** The heartbeat's question with an answer of one's own. */
  requestProof(onAnswer: (isProven: boolean) => void): void {
    this.requestStatus(HEARTBEAT_HANDLE, (status) => onAnswer(status !== undefined));
  }

  /** Idempotent; the first reason counts. `onClose` follows. */
  destroy(reason: GearmanError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#decoder.stop();
    this.#cancelTimer();
    // What was said before goes out.
    if (this.#held.length > 0) this.#writing.run();
    this.#socket.destroy();
  }

  #begin(): void {
    if (this.#reason !== undefined) return;
    this.#isOpen = true;
    this.#cancelTimer();
    this.#scheduleHeartbeat();
    this.#perform(() => this.#options.onOpen());
  }

  #receive(chunk: Buffer): void {
    this.#perform(() => this.#decoder.push(chunk));
  }

  /** All that is sent meanwhile leaves in one piece at the end. What is thrown ends the connection. */
  #perform(work: () => void): void {
    const heldBefore = this.#held.length;
    this.#isPerforming = true;
    try {
      work();
    } catch (error) {
      this.destroy(explainOwnError(this.#options.server, error));
    } finally {
      this.#isPerforming = false;
      if (this.#held.length > heldBefore) this.#writing.run();
    }
  }

  #write(): void {
    this.#socket.write(Buffer.concat(this.#held));
    this.#held = [];
    this.#heldBytes = 0;
  }

  #take(type: PacketType, body: Buffer, bodyBytes: number): void {
    if (type === PACKET.STATUS_RES) this.#takeStatus(body);
    else this.#options.onPacket(type, body, bodyBytes);
  }

  #takeStatus(body: Buffer): void {
    const [handle, isKnown, isRunning, numerator, denominator] = splitFields(PACKET.STATUS_RES, body).map((field) =>
      field.toString("latin1"),
    );
    if (handle === undefined) return;
    const requests = this.#statusRequests.get(handle);
    const request = requests?.shift();
    if (requests?.length === 0) this.#statusRequests.delete(handle);
    request?.onAnswer({
      isKnown: isKnown === "1",
      isRunning: isRunning === "1",
      numerator: Number(numerator),
      denominator: Number(denominator),
    });
  }

  #scheduleHeartbeat(): void {
    this.#cancelTimer = this.#options.clock.schedule(this.#times.heartbeatMs, () => this.#beat());
  }

  #beat(): void {
    const oldest = this.#statusRequests.values().next().value?.[0];
    const now = this.#options.clock.monotonicMs();
    if (oldest !== undefined && now - oldest.askedAtMs >= this.#times.answerMs) {
      const seconds = Math.round((now - oldest.askedAtMs) / 1000);
      this.destroy(new GearmanError("TH_GEARMAN_SILENT", `${this.#options.server} has not answered for ${seconds} s`));
      return;
    }
    if (!this.#statusRequests.has(HEARTBEAT_HANDLE)) this.requestProof(() => undefined);
    this.#scheduleHeartbeat();
  }

  #explain(error: Error): GearmanError {
    const { server } = this.#options;
    const text = explainSocketError(error);
    if (!this.#isOpen) return new GearmanError("TH_GEARMAN_CONNECT", `cannot connect to ${server}: ${text}`, error);
    return new GearmanError("TH_GEARMAN_LOST", `lost the connection to ${server}: ${text}`, error);
  }

  #finish(): void {
    // A socket closes without a reason of ours only if the peer's end came with no `end` event.
    this.destroy(new GearmanError("TH_GEARMAN_LOST", `the connection to ${this.#options.server} closed`));
    const requests = [...this.#statusRequests.values()].flat();
    this.#statusRequests.clear();
    for (const request of requests) request.onAnswer(undefined);
    if (this.#reason !== undefined) this.#options.onClose(this.#reason);
    this.#closed.resolve();
  }
}

/** Node tries every address of a name and then throws one error without a text of its own. */
function explainSocketError(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((one) => coerceError(one).message).join("; ");
  return error.message;
}

function explainOwnError(server: string, thrown: unknown): GearmanError {
  if (thrown instanceof GearmanError) return thrown;
  return new GearmanError("TH_GEARMAN_INTERNAL", `cannot handle what ${server} sent: ${coerceError(thrown).message}`, thrown);
}

/** What roles and assignments need of a connection. */
export type OpenConnection = Pick<Connection, "isOpen" | "send" | "requestStatus" | "requestProof" | "destroy">;
