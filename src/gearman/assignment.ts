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
  /** WORK_DATA. Nothing happens after the end or when lost. Leaves before the event loop goes on. */
  sendData(json: string): void;
  /** WORK_STATUS; likewise. */
  sendStatus(numerator: number, denominator: number): void;
  /**
   * WORK_COMPLETE, then GET_STATUS of the handle: "delivered" when its answer has come back on the same stream, which proves that the
   * server has read the end; "lost" when the link went first, and then the server may or may not have it. Never rejects. The first end
   * counts: a second call sends nothing and gives the first one's outcome.
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

/** An assignment on a living connection; what the lane keeps under the handle until the end is proven or the link is lost. */
export class LiveAssignment implements Assignment {
  readonly server: string;
  readonly slot: Slot;
  readonly #job: AssignedJob;
  readonly #connection: OpenConnection;
  readonly #onEnded: () => void;
  readonly #onProven: () => void;
  #lostController: AbortController | undefined;
  #isLost: boolean = false;
  #outcome: Promise<Delivery> | undefined;

  /** On a connection that lives `onEnded` is called once, when the end is sent, and `onProven` once, when the server has read it. */
  constructor(
    job: AssignedJob,
    options: { server: string; slot: Slot; connection: OpenConnection; onEnded: () => void; onProven: () => void },
  ) {
    this.#job = job;
    this.server = options.server;
    this.slot = options.slot;
    this.#connection = options.connection;
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

  /** The last packet is sent; whether it arrived may still be open. */
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

  #end(packet: Buffer): Promise<Delivery> {
    if (this.#isLost) return Promise.resolve("lost");
    return new Promise((resolve) => {
      this.#onEnded();
      this.#connection.send(packet);
      this.#connection.requestStatus(this.#job.handle, (status) => {
        if (status === undefined) {
          resolve("lost");
          return;
        }
        this.#onProven();
        resolve("delivered");
      });
    });
  }
}
