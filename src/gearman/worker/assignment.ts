import type { AssignedSlot, Assignment, Delivery } from "../../core/zuul/assignment.ts";
import { decodeText, encodePacket } from "../wire/codec.ts";
import type { OpenConnection } from "../wire/connection.ts";
import { protocolViolation } from "../wire/gearman-error.ts";
import { PACKET, type PacketType, renderPacketName } from "../wire/packet.ts";

/** The fields of JOB_ASSIGN_UNIQ and JOB_ASSIGN. */
export interface AssignedJob {
  /** As it goes back to the server. */
  readonly handle: string | Buffer;
  /** The handle as a key, one character per byte. */
  readonly key: string;
  readonly functionName: string;
  readonly unique: string;
  readonly payload: Buffer;
  readonly payloadBytes: number;
}

/** Throws TH_GEARMAN_PROTOCOL when fields are missing. */
export function parseAssignedJob(type: PacketType, body: Buffer, bodyBytes: number): AssignedJob {
  const own = detach(body);
  const due = type === PACKET.JOB_ASSIGN_UNIQ ? 3 : 2;
  // Handle, function and unique are found in one pass, and converted in one where they are ASCII, as they are as a rule.
  let found = 0;
  let handleEnd = 0;
  let functionEnd = 0;
  let seen = 0;
  let end = 0;
  for (; end < own.length; end += 1) {
    const byte = own[end] as number;
    seen |= byte;
    if (byte !== 0) continue;
    found += 1;
    if (found === 1) handleEnd = end;
    else if (found === 2) functionEnd = end;
    if (found === due) break;
  }
  if (found < due) throw protocolViolation(`${renderPacketName(type)} has ${found + 1} fields where ${due + 1} are due`);
  const isAscii = seen < 0x80;
  const head = own.toString("latin1", 0, end);
  const key = head.slice(0, handleEnd);
  const unique = due === 2 ? functionEnd : functionEnd + 1;
  return {
    handle: isAscii ? key : own.subarray(0, handleEnd),
    key,
    functionName: isAscii ? head.slice(handleEnd + 1, functionEnd) : decodeText(own.subarray(handleEnd + 1, functionEnd)),
    unique: isAscii ? head.slice(unique, end) : decodeText(own.subarray(unique, end)),
    payload: own.subarray(end + 1),
    payloadBytes: bodyBytes - (end + 1),
  };
}

/** A build outlives the chunk it came in: keep a small packet, not the whole chunk. */
function detach(bytes: Buffer): Buffer {
  return bytes.buffer.byteLength > 2 * bytes.length ? Buffer.from(bytes) : bytes;
}

/** What gearmand takes as a unique; a longer one it has cut, and does not find again. */
const MAX_UNIQUE_BYTES = 63;

/** Sends a build's last packet; `onAnswer` is called once, with true when the server has read it, or false when the connection ended first. */
export type SendEnd = (packet: Buffer, handle: string | Buffer, onAnswer: (isProven: boolean) => void) => void;

/** What an assignment needs of its lane. */
interface LivingLane {
  readonly connection: OpenConnection;
  readonly sendEnd: SendEnd;
  /** See `Assignment.handBack`. */
  handBack(): boolean;
}

/** An assignment on a living connection; what the lane keeps under the handle until the end is proven or the link is lost. */
export class LiveAssignment implements Assignment {
  readonly server: string;
  readonly slot: AssignedSlot;
  readonly #job: AssignedJob;
  readonly #lane: LivingLane;
  readonly #countsClients: boolean;
  #lostController: AbortController | undefined;
  #clientGoneController: AbortController | undefined;
  #isLost: boolean = false;
  #isClientGone: boolean = false;
  /** As the server said last. */
  #isKnown: boolean = true;
  /** As gearmand said last; undefined until it has counted one: a background request never has any. */
  #clients: number | undefined;
  #outcome: Promise<Delivery> | undefined;

  /** `countsClients` is for a server that answers GET_STATUS_UNIQUE; its answers go to `takeClientCount`. */
  constructor(job: AssignedJob, options: { server: string; slot: AssignedSlot; countsClients: boolean; lane: LivingLane }) {
    this.#job = job;
    this.server = options.server;
    this.slot = options.slot;
    this.#lane = options.lane;
    this.#countsClients =
      options.countsClients && job.unique !== "" && job.unique !== "-" && Buffer.byteLength(job.unique) <= MAX_UNIQUE_BYTES;
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
    if (!this.isEnded) this.#lane.connection.send(encodePacket(PACKET.WORK_DATA, [this.#job.handle, json]));
  }

  sendStatus(numerator: number, denominator: number): void {
    if (!this.isEnded) this.#lane.connection.send(encodePacket(PACKET.WORK_STATUS, [this.#job.handle, `${numerator}`, `${denominator}`]));
  }

  /** To learn from gearmand, before any other question, that there is a client to lose. */
  countClients(): void {
    if (this.#countsClients && !this.isEnded) this.#lane.connection.send(encodePacket(PACKET.GET_STATUS_UNIQUE, [this.#job.unique]));
  }

  /** Asks the server whether somebody waits for the end; `hasClient` says so when `onAnswer` is called. Not called when the link is lost first. */
  askForClient(onAnswer: () => void): void {
    this.countClients();
    this.#lane.connection.requestStatus(this.#job.handle, (status) => {
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

  handBack(): boolean {
    return !this.#isLost && !this.isEnded && this.#lane.handBack();
  }

  /** The connection is gone; for the lane. */
  markLost(): void {
    this.#isLost = true;
    this.#lostController?.abort();
  }

  #end(packet: Buffer): Promise<Delivery> {
    if (this.#isLost) return Promise.resolve("lost");
    return new Promise((resolve) => {
      this.#lane.sendEnd(packet, this.#job.handle, (isProven) => resolve(isProven ? "delivered" : "lost"));
    });
  }
}
