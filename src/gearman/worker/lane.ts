import type { Chance } from "../../core/job/claim-clock.ts";
import type { AssignedSlot, Assignment } from "../../core/zuul/assignment.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Slot } from "../../runtime/slot.ts";
import { decodeText, encodePacket, splitFields } from "../wire/codec.ts";
import type { OpenConnection } from "../wire/connection.ts";
import { GearmanError, protocolViolation } from "../wire/gearman-error.ts";
import { GRAB, PRE_SLEEP } from "../wire/grab.ts";
import { PACKET, type PacketType } from "../wire/packet.ts";
import { type AssignedJob, LiveAssignment, parseAssignedJob, type SendEnd } from "./assignment.ts";
import { ClientWatch } from "./client-watch.ts";
import type { Role } from "./connector.ts";
import { EndProofs, type OnProof } from "./end-proofs.ts";
import { SlotLine } from "./slot-line.ts";
import type { SlotPool } from "./slot-pool.ts";

export interface LaneOptions {
  readonly server: string;
  readonly name: string;
  readonly clientId: string;
  readonly functions: readonly string[];
  readonly slots: SlotPool;
  readonly payloadLimitBytes?: number;
  /** Whether the server is known to answer GET_STATUS_UNIQUE with the number of clients. */
  countsClients(): boolean;
  /** Whether the server is known to queue again what a connection leaves. */
  queuesAgain(): boolean;
  readonly clientGoneAfterMs: number;
  /** Whether a build that is under way waits for its request from this server, under a function for which `serves` holds. */
  isAwaited(serves: (functionName: string) => boolean): boolean;
  readonly logger: Logger;
  readonly clock: Clock;
  onAssignment(assignment: Assignment): void;
  /** The server knows what the lane serves. */
  onReady(): void;
  /** After `retire`: the last build has ended and nothing of the lane is left to do. */
  onRetired(): void;
}

/**
 * A connection with a set of functions and a pool of slots. It is always in one of these states:
 *
 *   full      no slot to be had, nothing asked for: called when the pool has one     -> grabbing
 *             (but where a build under way waits for its request, all that is before that is taken too, and waits in line for slots)
 *   grabbing  a slot is reserved and one GRAB_JOB_UNIQ is unanswered                 -> asleep (NO_JOB) or, with the build, full or grabbing
 *   asleep    NO_JOB came and PRE_SLEEP was sent: the server sends NOOP for a build  -> full or grabbing (NOOP)
 *   stopped   asks for nothing any more; its builds go on
 *
 * Where what waits in line is to be another replica's, the connection is closed, and opened again unless the lane is retired.
 *
 * The set of functions only grows. A lane that must lose one is retired and another takes its place, because CANT_DO takes running builds
 * away on gearmand.
 */
export class Lane implements Role {
  readonly name: string;
  readonly #options: LaneOptions;
  readonly #functions: Set<string>;
  #slots: SlotPool;
  #connection: OpenConnection | undefined;
  #leaveSlots: (() => void) | undefined;
  /** For the unanswered GRAB: a slot, or "line" for one that is sent without; undefined when there is none. */
  #grabSlot: Slot | "line" | undefined;
  readonly #line = new SlotLine();
  /** Of this connection. */
  #proofs = new EndProofs();
  #isAsleep: boolean = false;
  #isStopped: boolean = false;
  #isRetired: boolean = false;
  /** Of this connection: it is closed as soon as the server has read the ends under way. */
  #isHandingBack: boolean = false;
  /** By handle, until the server has read the end. Never outlives the connection. */
  readonly #assignments = new Map<string, LiveAssignment>();
  readonly #clients: ClientWatch;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.name = `lane/${options.name}`;
    this.#functions = new Set(options.functions);
    this.#slots = options.slots;
    this.#clients = new ClientWatch({ clock: options.clock, goneAfterMs: options.clientGoneAfterMs });
  }

  get payloadLimitBytes(): number | undefined {
    return this.#options.payloadLimitBytes;
  }

  get wantsConnection(): boolean {
    return !this.#isRetired;
  }

  serves(functionName: string): boolean {
    return this.#functions.has(functionName);
  }

  /** Whether a build could come now: one is asked for, or the server calls when there is one. */
  get chance(): Chance {
    if (this.#connection === undefined) return "away";
    return !this.#isStopped && (this.#isAsleep || this.#grabSlot !== undefined) ? "open" : "none";
  }

  /** Whether `adopt` would do: no function of this connection is missing in `functions`. */
  canAdopt(functions: ReadonlySet<string>): boolean {
    return this.#connection === undefined || this.#functions.isSubsetOf(functions);
  }

  /** Serves `functions` from now on, out of `slots`. Requires `canAdopt(functions)`. */
  adopt(functions: ReadonlySet<string>, slots: SlotPool): void {
    const added = [...functions].filter((name) => !this.#functions.has(name));
    if (this.#connection === undefined) this.#functions.clear();
    for (const name of functions) this.#functions.add(name);
    for (const name of added) this.#connection?.send(encodePacket(PACKET.CAN_DO, [name]));
    if (slots !== this.#slots) {
      this.#slots = slots;
      if (this.#connection !== undefined) this.#watchSlots();
    }
    // A sleeper is not called for what was queued before its CAN_DO; to grab without being called is allowed.
    if (added.length > 0) this.#isAsleep = false;
    this.#tryGrab();
  }

  /** Asks for no more builds. One that the server has given already may still come. */
  stopGrabbing(): void {
    this.#isStopped = true;
  }

  /** Asks for no more builds and closes after the last one; then `onRetired`. */
  retire(): void {
    this.#isStopped = true;
    this.#isRetired = true;
    this.#closeIfDone();
  }

  onOpen(connection: OpenConnection): void {
    this.#connection = connection;
    connection.send(encodePacket(PACKET.SET_CLIENT_ID, [this.#options.clientId]));
    for (const name of this.#functions) connection.send(encodePacket(PACKET.CAN_DO, [name]));
    this.#watchSlots();
    this.#tryGrab();
  }

  onReady(): void {
    this.#options.onReady();
  }

  onPacket(type: PacketType, body: Buffer, bodyBytes: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (type === PACKET.JOB_ASSIGN_UNIQ || type === PACKET.JOB_ASSIGN) this.#takeJob(connection, parseAssignedJob(type, body, bodyBytes));
    else if (type === PACKET.NO_JOB) this.#sleep(connection);
    else if (type === PACKET.NOOP) this.#rouse();
    else if (type === PACKET.STATUS_RES_UNIQUE) this.#takeClientCount(body);
    else if (type === PACKET.ERROR) this.#noteError(body);
  }

  onClose(): void {
    const lost = [...this.#assignments.values()];
    const grabSlot = this.#grabSlot;
    this.#leaveSlots?.();
    this.#leaveSlots = undefined;
    this.#connection = undefined;
    this.#grabSlot = undefined;
    this.#proofs.noteGrab(false);
    this.#proofs = new EndProofs();
    this.#isAsleep = false;
    this.#isHandingBack = false;
    this.#assignments.clear();
    this.#clients.clear();
    this.#line.clear();
    for (const assignment of lost) assignment.markLost();
    if (lost.length > 0) {
      this.#options.logger.warn({ server: this.#options.server, lane: this.name, builds: lost.length }, "lost the link of running builds");
    }
    if (grabSlot !== "line") grabSlot?.release();
    this.#closeIfDone();
  }

  /** A build may wait for its request now, or what waits in line may begin: asks for the one, slot or not, and serves the other. */
  lookAgain(): void {
    this.#tryGrab();
  }

  #watchSlots(): void {
    this.#leaveSlots?.();
    this.#leaveSlots = this.#slots.onFree(() => this.#tryGrab());
  }

  #tryGrab(): void {
    if (this.#isHandingBack) return;
    this.#line.serve(() => this.#slots.tryReserve());
    if (this.#connection?.isOpen !== true || this.#grabSlot !== undefined || this.#isAsleep || this.#isStopped) return;
    if (this.#proofs.areAsked) return;
    // Whoever waits in line is first.
    this.#grabSlot = (this.#line.isDue ? undefined : this.#slots.tryReserve()) ?? (this.#mayGrabWithoutSlot ? "line" : undefined);
    if (this.#grabSlot !== undefined) this.#connection.send(GRAB);
  }

  /** gearmand puts the request of a lost link at the end of its queue, and a relaunch by Zuul comes there too. */
  get #mayGrabWithoutSlot(): boolean {
    return !this.#line.isFull && this.#options.isAwaited((functionName) => this.#functions.has(functionName));
  }

  #sleep(connection: OpenConnection): void {
    const slot = this.#takeGrabSlot("NO_JOB");
    // A stopped lane must not look like a waiting worker to the server.
    if (!this.#isStopped) {
      this.#isAsleep = true;
      connection.send(PRE_SLEEP);
    }
    if (slot !== "line") slot.release();
    this.#closeIfDone();
  }

  #rouse(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#tryGrab();
  }

  #takeJob(connection: OpenConnection, job: AssignedJob): void {
    const grabSlot = this.#takeGrabSlot("an assignment");
    const slot = grabSlot === "line" ? this.#line.join() : grabSlot;
    const { server, logger } = this.#options;
    const { functionName, key: handle } = job;
    const earlier = this.#assignments.get(handle);
    if (earlier !== undefined && !earlier.isEnded) {
      // One handle has one answer. For the same job the one under way will do; for two jobs none would, so the server must take both back.
      if (!earlier.isSameJob(job)) {
        this.#grabSlot = grabSlot; // released with the connection
        throw protocolViolation(`${server} gave the handle ${handle} to a second job while the first is running`);
      }
      logger.warn({ server, handle, functionName }, "ignored a build that was assigned a second time");
      slot.release();
    } else if (this.#functions.has(functionName)) {
      this.#begin(connection, job, slot);
    } else {
      logger.warn({ server, handle, functionName }, "refused a build of a function that the lane does not serve");
      connection.send(encodePacket(PACKET.WORK_FAIL, [job.handle]));
      slot.release();
    }
    this.#tryGrab();
    this.#closeIfDone();
  }

  #begin(connection: OpenConnection, job: AssignedJob, slot: AssignedSlot): void {
    const { server, logger, onAssignment, countsClients } = this.#options;
    const sendEnd: SendEnd = (packet, handle, onAnswer) => {
      this.#clients.remove(assignment);
      connection.send(packet);
      this.#askForProof(connection, handle, (isProven) => {
        if (isProven && this.#assignments.get(job.key) === assignment) this.#assignments.delete(job.key);
        onAnswer(isProven);
      });
    };
    const living = { connection, sendEnd, handBack: () => this.#handBack() };
    const assignment = new LiveAssignment(job, { server, slot, countsClients: countsClients(), lane: living });
    this.#assignments.set(job.key, assignment);
    this.#clients.add(assignment);
    try {
      onAssignment(assignment);
    } catch (error) {
      logger.error({ server, handle: job.key, error: coerceError(error).stack }, "failed to take a build");
      void assignment.fail();
      slot.release();
    }
    assignment.countClients();
  }

  /** Where a build is to be grabbed the GRAB is the question: one packet and one answer for two ends. */
  #askForProof(connection: OpenConnection, handle: string | Buffer, onProof: OnProof): void {
    if (this.#grabSlot === undefined) {
      this.#tryGrab();
      if (this.#grabSlot !== undefined) {
        this.#proofs.awaitGrab(onProof);
        return;
      }
    }
    const take = this.#proofs.ask(onProof);
    connection.requestStatus(handle, (status) => {
      take(status !== undefined);
      if (status === undefined) return;
      this.#tryGrab();
      this.#closeIfDone();
    });
  }

  /** gearmand finds a job by its unique alone: where two builds share one, it is not known whose clients these are. */
  #takeClientCount(body: Buffer): void {
    const [unique, isKnown, , , , clients] = splitFields(PACKET.STATUS_RES_UNIQUE, body).map(decodeText);
    const [build, other] = [...this.#assignments.values()].filter((assignment) => assignment.unique === unique);
    if (isKnown === "1" && other === undefined) build?.takeClientCount(Number(clients));
  }

  /** The slot of the GRAB that this packet answers; what the GRAB was to prove is proven. */
  #takeGrabSlot(what: string): Slot | "line" {
    const slot = this.#grabSlot;
    if (slot === undefined) throw protocolViolation(`${this.#options.server} sent ${what} that was not asked for`);
    this.#grabSlot = undefined;
    this.#proofs.noteGrab(true);
    return slot;
  }

  /** Mostly JOB_NOT_FOUND, without saying for which handle: a build that the server has taken away meanwhile. */
  #noteError(body: Buffer): void {
    this.#options.logger.debug({ server: this.#options.server, lane: this.name, error: body.toString("latin1") }, "received an error");
  }

  /**
   * A request can't be given back by itself: CANT_DO takes all builds of its function along, too. Those that run come to whoever takes builds
   * now as well, who goes on with their Jobs: to keep them here would keep what waits from being run for as long as they take.
   */
  #handBack(): boolean {
    const { server, logger, queuesAgain } = this.#options;
    if (!queuesAgain()) return false;
    if (!this.#isHandingBack) {
      logger.info(
        { server, lane: this.name, builds: this.#assignments.size },
        "lets the server take builds back: this replica is the holder no more",
      );
    }
    this.#isHandingBack = true;
    this.#closeIfDone();
    return true;
  }

  #closeIfDone(): void {
    if (this.#isHandingBack) {
      // Closed before the server has read an end that was sent, it would give that build out once more.
      if (this.#assignments.values().some(({ isEnded }) => isEnded)) return;
      this.#connection?.destroy(new GearmanError("TH_GEARMAN_STOPPED", `${this.name} gives its builds back`));
      return;
    }
    if (!this.#isRetired || this.#grabSlot !== undefined || this.#assignments.size > 0) return;
    if (this.#connection === undefined) this.#options.onRetired();
    else this.#connection.destroy(new GearmanError("TH_GEARMAN_STOPPED", `${this.name} has served its last build`));
  }
}
