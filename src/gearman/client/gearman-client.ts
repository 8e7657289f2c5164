import type { Clock } from "../../runtime/clock.ts";
import { decodeText, encodePacket, makeClientLimits, splitFields } from "../wire/codec.ts";
import { Connection, type ConnectionTimes, type HandleStatus } from "../wire/connection.ts";
import { GearmanError } from "../wire/gearman-error.ts";
import { PACKET, type PacketType } from "../wire/packet.ts";

export type SubmissionEvent =
  /** JOB_CREATED. */
  | { readonly kind: "created"; readonly handle: string }
  /** WORK_DATA or WORK_WARNING. */
  | { readonly kind: "data" | "warning"; readonly payload: Buffer }
  /** WORK_STATUS. */
  | { readonly kind: "status"; readonly numerator: number; readonly denominator: number }
  | SubmissionEnd;

export type SubmissionEnd =
  /** WORK_COMPLETE, WORK_EXCEPTION, WORK_FAIL; each of them is the last event. */
  | { readonly kind: "complete" | "exception" | "fail"; readonly payload: Buffer }
  /** The connection went first, or the server refused the request with an ERROR packet. Nothing more is known of it. */
  | { readonly kind: "lost"; readonly reason: GearmanError };

interface SubmitOptions {
  readonly functionName: string;
  /** gearmand takes at most 64 bytes. */
  readonly unique: string;
  readonly payload: string | Uint8Array;
  /** Default "normal". */
  readonly priority?: "high" | "normal" | "low";
  /** Every event in order, the end included; synchronously as the packet is read. */
  onEvent?(event: SubmissionEvent): void;
}

export interface Submission {
  /** Rejects with a GearmanError when the server refuses the request or the connection ends first. */
  readonly handle: Promise<string>;
  /** Never rejects. */
  readonly ended: Promise<SubmissionEnd>;
}

export interface GearmanClient extends AsyncDisposable {
  submit(options: SubmitOptions): Submission;
  /** undefined when the connection ended first. */
  status(handle: string): Promise<HandleStatus | undefined>;
  /** Closes the connection; whatever has not ended is "lost". */
  stop(): Promise<void>;
}

interface GearmanClientOptions {
  /** "host:port". */
  readonly server: string;
  readonly clock: Clock;
  /** Largest payload taken from a worker; a larger one ends the connection. Default 64 MiB. */
  readonly payloadLimitBytes?: number;
  readonly times?: Partial<ConnectionTimes>;
}

interface Request {
  readonly onEvent: ((event: SubmissionEvent) => void) | undefined;
  readonly created: PromiseWithResolvers<string>;
  readonly ended: PromiseWithResolvers<SubmissionEnd>;
}

/** Unlike a worker's, a client's single packet may be a payload of the caller's, and it may submit many before the server reads one. */
const MAX_UNSENT_BYTES = 256 * 1024 * 1024;
const SUBMIT_TYPE = { high: PACKET.SUBMIT_JOB_HIGH, normal: PACKET.SUBMIT_JOB, low: PACKET.SUBMIT_JOB_LOW } as const;
const EVENT_KIND: Partial<Record<PacketType, "data" | "warning" | "complete" | "exception" | "fail">> = {
  [PACKET.WORK_DATA]: "data",
  [PACKET.WORK_WARNING]: "warning",
  [PACKET.WORK_COMPLETE]: "complete",
  [PACKET.WORK_EXCEPTION]: "exception",
  [PACKET.WORK_FAIL]: "fail",
};

/** Connects as a client that submits foreground requests, as Zuul does. Rejects with a GearmanError when it cannot. Does not reconnect. */
export async function connectGearmanClient(options: GearmanClientOptions): Promise<GearmanClient> {
  const client = new OneConnectionClient(options);
  await client.opened;
  return client;
}

class OneConnectionClient implements GearmanClient {
  readonly #server: string;
  readonly #connection: Connection;
  readonly #opened = Promise.withResolvers<void>();
  /** Submitted, JOB_CREATED not yet here. It names no request: both servers answer in order. */
  readonly #uncreated: Request[] = [];
  /** By handle. gearmand gives requests with the same function and unique the same handle. */
  readonly #running = new Map<string, Request[]>();

  constructor(options: GearmanClientOptions) {
    const { server, clock, times, payloadLimitBytes } = options;
    this.#server = server;
    this.#connection = new Connection({
      server,
      clock,
      limits: makeClientLimits(payloadLimitBytes),
      maxUnsentBytes: MAX_UNSENT_BYTES,
      ...(times === undefined ? {} : { times }),
      onOpen: () => this.#opened.resolve(),
      onPacket: (type, body) => this.#take(type, body),
      onClose: (reason) => this.#takeClose(reason),
    });
  }

  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  submit(options: SubmitOptions): Submission {
    const { functionName, unique, payload, priority = "normal" } = options;
    const packet = encodePacket(SUBMIT_TYPE[priority], [functionName, unique, payload]);
    const request: Request = {
      onEvent: options.onEvent?.bind(options),
      created: Promise.withResolvers(),
      ended: Promise.withResolvers(),
    };
    // Whoever only waits for the end need not handle the handle.
    request.created.promise.catch(() => undefined);
    this.#uncreated.push(request);
    if (this.#connection.isOpen) this.#connection.send(packet);
    else this.#lose(request, new GearmanError("TH_GEARMAN_LOST", `the connection to ${this.#server} is closed`));
    return { handle: request.created.promise, ended: request.ended.promise };
  }

  status(handle: string): Promise<HandleStatus | undefined> {
    return new Promise((resolve) => {
      this.#connection.requestStatus(handle, resolve);
    });
  }

  async stop(): Promise<void> {
    this.#connection.destroy(new GearmanError("TH_GEARMAN_STOPPED", `the client of ${this.#server} was stopped`));
    await this.#connection.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #take(type: PacketType, body: Buffer): void {
    if (type === PACKET.JOB_CREATED) this.#takeCreated(body.toString("latin1"));
    else if (type === PACKET.ERROR) this.#takeError(body);
    else if (type === PACKET.WORK_STATUS) this.#takeStatus(body);
    else if (EVENT_KIND[type] !== undefined) this.#takeWork(EVENT_KIND[type], type, body);
  }

  #takeCreated(handle: string): void {
    const request = this.#uncreated.shift();
    if (request === undefined) return;
    const sameHandle = this.#running.get(handle);
    if (sameHandle === undefined) this.#running.set(handle, [request]);
    else sameHandle.push(request);
    request.created.resolve(handle);
    request.onEvent?.({ kind: "created", handle });
  }

  #takeError(body: Buffer): void {
    const [code, text] = splitFields(PACKET.ERROR, body).map(decodeText);
    const request = this.#uncreated[0];
    if (request !== undefined)
      this.#lose(request, new GearmanError("TH_GEARMAN_REFUSED", `${this.#server} refused the request: ${code} ${text}`));
  }

  #takeStatus(body: Buffer): void {
    const [handle, numerator, denominator] = splitFields(PACKET.WORK_STATUS, body).map((field) => field.toString("latin1"));
    for (const request of this.#running.get(handle ?? "") ?? []) {
      request.onEvent?.({ kind: "status", numerator: Number(numerator), denominator: Number(denominator) });
    }
  }

  #takeWork(kind: "data" | "warning" | "complete" | "exception" | "fail", type: PacketType, body: Buffer): void {
    const [handle, payload = Buffer.alloc(0)] = splitFields(type, body);
    const key = handle?.toString("latin1") ?? "";
    const requests = this.#running.get(key) ?? [];
    if (kind === "data" || kind === "warning") {
      for (const request of requests) request.onEvent?.({ kind, payload });
      return;
    }
    this.#running.delete(key);
    for (const request of requests) this.#end(request, { kind, payload });
  }

  #takeClose(reason: GearmanError): void {
    this.#opened.reject(reason);
    const unfinished = [...this.#uncreated, ...[...this.#running.values()].flat()];
    this.#running.clear();
    for (const request of unfinished) this.#lose(request, reason);
  }

  #lose(request: Request, reason: GearmanError): void {
    const index = this.#uncreated.indexOf(request);
    if (index !== -1) this.#uncreated.splice(index, 1);
    request.created.reject(reason);
    this.#end(request, { kind: "lost", reason });
  }

  #end(request: Request, end: SubmissionEnd): void {
    request.onEvent?.(end);
    request.ended.resolve(end);
  }
}
