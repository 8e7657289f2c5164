import { decodeText, encodePacket, splitFields } from "./codec.ts";
import type { OpenConnection } from "./connection.ts";
import { PACKET, type PacketType } from "./packet.ts";
import type { Slot } from "./slot-pool.ts";

export type Delivery = "delivered" | "lost";

/** One Gearman request that a server has assigned to us. */
export interface Assignment {
  /** "host:port" as configured. */
  readonly server: string;
  /** For log lines only: it means nothing once `lost` has aborted, and another server or a restarted one uses it again. */
  readonly handle: string;
  /** e.g. `build:gate-nova`. */
  readonly functionName: string;
  /** As received, UTF-8 where it is UTF-8, else one character per byte. May be empty, "-" or very long. */
  readonly unique: string;
  /** As received; only the beginning of it when it was above the link's limit. */
  readonly payload: Buffer;
  /** The payload's length on the wire; larger than `payload.length` when the payload was cut. */
  readonly payloadBytes: number;
  /** Reserved before the server was asked; the receiver owns it and must release it. */
  readonly slot: Slot;
  /** Aborts when the link it came over is gone, or has been told so already: nothing can be sent any more. */
  readonly lost: AbortSignal;
  /** Aborts when the link lives and nobody has waited for this build for `clientGoneAfterMs`, as far as the server tells. */
  readonly clientGone: AbortSignal;
  /** WORK_DATA. Nothing happens after the end or when lost. Leaves before the event loop goes on. */
  sendData(json: string): void;
  /** WORK_STATUS; likewise. */
  sendStatus(numerator: number, denominator: number): void;
  /**
   * GET_STATUS of the handle, WORK_COMPLETE, GET_STATUS again: "delivered" when the first answer knows the build, and the second has come
   * back on the same stream, which proves that the server has read the end. "lost" when the link went first, and then the server may or may
   * not have it, or when nobody waited for the end any more. Never rejects. The first end counts: a second call sends nothing and gives the
   * first one's outcome.
   */
  complete(json: string): Promise<Delivery>;
  /** WORK_FAIL, with the same proof. */
  fail(): Promise<Delivery>;
}

/** The fields of JOB_ASSIGN_UNIQ and JOB_ASSIGN. */
export interface AssignedJob {
  readonly handle: Buffer;
  /** The handle as a key, one character per byte. */
  readonly key: string;
  readonly functionName: string;
  readonly unique: string;
  readonly payload: Buffer;
  readonly payloadBytes: number;
}

/** Throws TH_GEARMAN_PROTOCOL when fields are missing. */
export function parseAssignedJob(type: PacketType, body: Buffer, bodyBytes: number): AssignedJob {
  const fields = splitFields(type, body);
  const [handle, functionName] = fields as [Buffer, Buffer];
  const payload = fields.at(-1) as Buffer;
  const unique = type === PACKET.JOB_ASSIGN_UNIQ ? (fields[2] as Buffer) : Buffer.alloc(0);
  return {
    handle: Buffer.from(handle),
    key: handle.toString("latin1"),
    functionName: decodeText(functionName),
    unique: decodeText(unique),
    payload: detach(payload),
    payloadBytes: bodyBytes - (body.length - payload.length),
  };
}

/** A build outlives the chunk it came in: keep a small payload, not the whole chunk. */
function detach(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength > 2 * bytes.length ? Buffer.from(bytes) : bytes;
}

/** What gearmand takes as a unique; a longer one it has cut, and does not find again. */
const MAX_UNIQUE_BYTES = 63;

/** An assignment on a living connection; what the lane keeps under the handle until the end is proven or the link is lost. */
export class LiveAssignment implements Assignment {
  readonly server: string;
  readonly slot: Slot;
  readonly #job: AssignedJob;
  readonly #connection: OpenConnection;
  readonly #countsClients: boolean;
  readonly #onEnded: () => void;
  readonly #onProven: () => void;
  #lostController: AbortController | undefined;
  #clientGoneController: AbortController | undefined;
  #isLost: boolean = false;
  #isClientGone: boolean = false;
  /** As the server said last. */
  #isKnown: boolean = true;
  /** As gearmand said last; undefined until it has counted one: a background request never has any. */
  #clients: number | undefined;
  #outcome: Promise<Delivery> | undefined;

  /**
   * On a connection that lives `onEnded` is called once, when the end begins, and `onProven` once, when the server has read it.
   * `countsClients` is for a server that answers GET_STATUS_UNIQUE; its answers go to `takeClientCount`.
   */
  constructor(
    job: AssignedJob,
    options: {
      server: string;
      slot: Slot;
      connection: OpenConnection;
      countsClients: boolean;
      onEnded: () => void;
      onProven: () => void;
    },
  ) {
    this.#job = job;
    this.server = options.server;
    this.slot = options.slot;
    this.#connection = options.connection;
    this.#countsClients =
      options.countsClients && job.unique !== "" && job.unique !== "-" && Buffer.byteLength(job.unique) <= MAX_UNIQUE_BYTES;
    this.#onEnded = options.onEnded;
    this.#onProven = options.onProven;
  }

  get handle(): string {
    return this.#job.key;
  }

  get functionName(): string {
    return this.#job.functionName;
  }

  get unique(): string {
    return this.#job.unique;
  }

  get payload(): Buffer {
    return this.#job.payload;
  }

  get payloadBytes(): number {
    return this.#job.payloadBytes;
  }

  get lost(): AbortSignal {
    this.#lostController ??= new AbortController();
    if (this.#isLost) this.#lostController.abort();
    return this.#lostController.signal;
  }

  get clientGone(): AbortSignal {
    this.#clientGoneController ??= new AbortController();
    if (this.#isClientGone) this.#clientGoneController.abort();
    return this.#clientGoneController.signal;
  }

  /**
   * Whether somebody waits for the end, by the last answers: geard knows a build no more when its client is gone, gearmand counts clients.
   */
  get hasClient(): boolean {
    return this.#isKnown && this.#clients !== 0;
  }

  /** The end has begun; whether it arrived may still be open. */
  get isEnded(): boolean {
    return this.#outcome !== undefined;
  }

  /** The same job assigned once more, not another one under the same handle. */
  isSameJob(other: AssignedJob): boolean {
    const own = this.#job;
    return own.functionName === other.functionName && own.unique === other.unique && own.payload.equals(other.payload);
  }

  sendData(json: string): void {
    if (!this.isEnded) this.#connection.send(encodePacket(PACKET.WORK_DATA, [this.#job.handle, json]));
  }

  sendStatus(numerator: number, denominator: number): void {
    if (!this.isEnded) this.#connection.send(encodePacket(PACKET.WORK_STATUS, [this.#job.handle, `${numerator}`, `${denominator}`]));
  }

  /** To learn, before any other question, that there is a client to lose. */
  countClients(): void {
    if (this.#countsClients) this.#connection.send(encodePacket(PACKET.GET_STATUS_UNIQUE, [this.#job.unique]));
  }

  /** Asks the server whether somebody waits for the end; `hasClient` says so when `onAnswer` is called. Not called when the link is lost first. */
  askForClient(onAnswer: () => void): void {
    this.countClients();
    this.#connection.requestStatus(this.#job.handle, (status) => {
      if (status === undefined) return;
      this.#isKnown = status.isKnown;
      onAnswer();
    });
  }

  /** From STATUS_RES_UNIQUE of this build's unique. */
  takeClientCount(clients: number): void {
    if (clients > 0 || this.#clients !== undefined) this.#clients = clients;
  }

  /** For the watch. */
  markClientGone(): void {
    this.#isClientGone = true;
    this.#clientGoneController?.abort();
  }

  complete(json: string): Promise<Delivery> {
    this.#outcome ??= this.#end(encodePacket(PACKET.WORK_COMPLETE, [this.#job.handle, json]));
    return this.#outcome;
  }

  fail(): Promise<Delivery> {
    this.#outcome ??= this.#end(encodePacket(PACKET.WORK_FAIL, [this.#job.handle]));
    return this.#outcome;
  }

  /** The connection is gone; for the lane. */
  markLost(): void {
    this.#isLost = true;
    this.#lostController?.abort();
  }

  /**
   * Whoever waited may be gone, and be about to ask for the same build again: an end sent to nobody would cost it another run. The two
   * questions are not sent together: geard answers in small segments, and TCP would hold the second one back for 40 ms.
   */
  #end(packet: Buffer): Promise<Delivery> {
    if (this.#isLost) return Promise.resolve("lost");
    return new Promise((resolve) => {
      this.#onEnded();
      this.countClients();
      this.#connection.requestStatus(this.#job.handle, (before) => {
        if (before === undefined) {
          resolve("lost");
          return;
        }
        this.#isKnown = before.isKnown;
        const isHeard = this.hasClient;
        this.#connection.send(packet);
        this.#connection.requestStatus(this.#job.handle, (after) => {
          if (after !== undefined) this.#onProven();
          resolve(after !== undefined && isHeard ? "delivered" : "lost");
        });
      });
    });
  }
}
