import type { AssignedSlot } from "../../core/zuul/assignment.ts";
import type { Slot, SlotPool } from "../../runtime/slot.ts";
import type { OpenConnection } from "../wire/connection.ts";
import { protocolViolation } from "../wire/gearman-error.ts";
import { GRAB, PRE_SLEEP } from "../wire/grab.ts";
import { EndProofs, type OnProof } from "./end-proofs.ts";
import { SlotLine } from "./slot-line.ts";

export interface GrabbingOptions {
  readonly server: string;
  readonly slots: SlotPool;
  /** Whether a build that is under way waits for its request, which may be behind others at the server. */
  isAwaited(): boolean;
  /** The server has read an end, and nothing was asked for. */
  onProof(): void;
}

/**
 * How a lane asks for builds. It is always in one of these states:
 *
 *   full      no slot to be had, nothing asked for: called when the pool has one     -> grabbing
 *             (but where a build under way waits for its request, all that is before that is taken too, and waits in line for slots)
 *   grabbing  a slot is reserved and one GRAB_JOB_UNIQ is unanswered                 -> asleep (NO_JOB) or, with the build, full or grabbing
 *   asleep    NO_JOB came and PRE_SLEEP was sent: the server sends NOOP for a build  -> full or grabbing (NOOP)
 *   paused    asks for nothing and begins nothing until the next connection
 *   stopped   asks for nothing any more; what waits in line still begins
 */
export class Grabbing {
  readonly #options: GrabbingOptions;
  #slots: SlotPool;
  #leaveSlots: (() => void) | undefined;
  #connection: OpenConnection | undefined;
  /** For the unanswered GRAB: a slot, or "line" for one that is sent without; undefined when there is none. */
  #grabSlot: Slot | "line" | undefined;
  readonly #line = new SlotLine();
  /** Of this connection. */
  #proofs = new EndProofs();
  #isAsleep: boolean = false;
  #isPaused: boolean = false;
  #isStopped: boolean = false;

  constructor(options: GrabbingOptions) {
    this.#options = options;
    this.#slots = options.slots;
  }

  /** A GRAB is unanswered. */
  get isAsking(): boolean {
    return this.#grabSlot !== undefined;
  }

  /** Whether a build could come now: one is asked for, or the server calls when there is one. */
  get canCome(): boolean {
    return !this.#isStopped && (this.#isAsleep || this.isAsking);
  }

  open(connection: OpenConnection): void {
    this.#connection = connection;
    this.#watchSlots();
    this.look();
  }

  /** The connection is gone, and what was to be proven over it is not. What waits in line gets nothing any more. */
  close(): void {
    this.#leaveSlots?.();
    this.#leaveSlots = undefined;
    this.#connection = undefined;
    this.#isAsleep = false;
    this.#isPaused = false;
    this.#line.clear();
    const proofs = this.#proofs;
    this.#proofs = new EndProofs();
    proofs.noteGrab(false);
  }

  /** After `close`: gives back the slot of the GRAB that was not answered, which may begin something elsewhere. */
  releaseSlot(): void {
    const slot = this.#grabSlot;
    this.#grabSlot = undefined;
    if (slot !== "line") slot?.release();
  }

  setSlots(slots: SlotPool): void {
    if (slots === this.#slots) return;
    this.#slots = slots;
    if (this.#connection !== undefined) this.#watchSlots();
  }

  /** For good. One that the server has given already may still come. */
  stop(): void {
    this.#isStopped = true;
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Begins what may begin in line, and asks for a build where that may be. */
  look(): void {
    if (this.#isPaused) return;
    this.#line.serve(() => this.#slots.tryReserve());
    if (this.#connection?.isOpen !== true || this.isAsking || this.#isAsleep || this.#isStopped) return;
    if (this.#proofs.areAsked) return;
    // Whoever waits in line is first.
    this.#grabSlot = (this.#line.isDue ? undefined : this.#slots.tryReserve()) ?? (this.#mayGrabWithoutSlot ? "line" : undefined);
    if (this.isAsking) this.#connection.send(GRAB);
  }

  /** NOOP. */
  rouse(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.look();
  }

  /** There are more functions: a sleeper is not called for what was queued before their CAN_DO; to grab without being called is allowed. */
  noteFunctions(): void {
    this.#isAsleep = false;
  }

  /** NO_JOB. */
  sleep(): void {
    const slot = this.#answerGrab("NO_JOB");
    // A stopped lane must not look like a waiting worker to the server.
    if (!this.#isStopped) {
      this.#isAsleep = true;
      this.#connection?.send(PRE_SLEEP);
    }
    if (slot !== "line") slot.release();
  }

  /** A build came: returns what it may begin with. */
  take(): AssignedSlot {
    const slot = this.#answerGrab("an assignment");
    return slot === "line" ? this.#line.join() : slot;
  }

  /** Where a build is to be grabbed the GRAB is the question: one packet and one answer for two ends. */
  askForProof(connection: OpenConnection, handle: string | Buffer, onProof: OnProof): void {
    if (!this.isAsking) {
      this.look();
      if (this.isAsking) {
        this.#proofs.awaitGrab(onProof);
        return;
      }
    }
    const take = this.#proofs.ask(onProof);
    connection.requestStatus(handle, (status) => {
      take(status !== undefined);
      if (status === undefined) return;
      this.look();
      this.#options.onProof();
    });
  }

  #watchSlots(): void {
    this.#leaveSlots?.();
    this.#leaveSlots = this.#slots.onFree(() => this.look());
  }

  /** gearmand puts the request of a lost link at the end of its queue, and a relaunch by Zuul comes there too. */
  get #mayGrabWithoutSlot(): boolean {
    return !this.#line.isFull && this.#options.isAwaited();
  }

  /** The slot of the GRAB that is answered; what the GRAB was to prove is proven. */
  #answerGrab(what: string): Slot | "line" {
    const slot = this.#grabSlot;
    if (slot === undefined) throw protocolViolation(`${this.#options.server} sent ${what} that was not asked for`);
    this.#grabSlot = undefined;
    this.#proofs.noteGrab(true);
    return slot;
  }
}
