import type { Chance } from "../../core/job/claim-clock.ts";
import type { AssignedSlot, Assignment } from "../../core/zuul/assignment.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { SlotPool } from "../../runtime/slot.ts";
import { encodePacket } from "../wire/codec.ts";
import type { OpenConnection } from "../wire/connection.ts";
import { GearmanError, protocolViolation } from "../wire/gearman-error.ts";
import { PACKET, type PacketType } from "../wire/packet.ts";
import { type AssignedJob, parseAssignedJob } from "./assignment.ts";
import type { Role } from "./connector.ts";
import { Grabbing } from "./grabbing.ts";
import { LaneBuilds } from "./lane-builds.ts";

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
 * A connection with a set of functions and a pool of slots, and the builds that came over it. How it asks for them: `Grabbing`.
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
  readonly #grabbing: Grabbing;
  #connection: OpenConnection | undefined;
  #isRetired: boolean = false;
  /** Of this connection: it is closed as soon as the server has read the ends under way. */
  #isHandingBack: boolean = false;
  readonly #builds: LaneBuilds;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.name = `lane/${options.name}`;
    this.#functions = new Set(options.functions);
    const { server, slots, clock, clientGoneAfterMs } = options;
    this.#grabbing = new Grabbing({
      ...{ server, slots },
      isAwaited: () => options.isAwaited((functionName) => this.#functions.has(functionName)),
      onProof: () => this.#closeIfDone(),
    });
    this.#builds = new LaneBuilds({
      ...{ server, clock, clientGoneAfterMs },
      countsClients: () => options.countsClients(),
      askForProof: (...question) => this.#grabbing.askForProof(...question),
      handBack: () => this.#handBack(),
    });
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
    return this.#grabbing.canCome ? "open" : "none";
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
    this.#grabbing.setSlots(slots);
    if (added.length > 0) this.#grabbing.noteFunctions();
    this.#grabbing.look();
  }

  /** Asks for no more builds. One that the server has given already may still come. */
  stopGrabbing(): void {
    this.#grabbing.stop();
  }

  /** Asks for no more builds and closes after the last one; then `onRetired`. */
  retire(): void {
    this.#grabbing.stop();
    this.#isRetired = true;
    this.#closeIfDone();
  }

  onOpen(connection: OpenConnection): void {
    this.#connection = connection;
    connection.send(encodePacket(PACKET.SET_CLIENT_ID, [this.#options.clientId]));
    for (const name of this.#functions) connection.send(encodePacket(PACKET.CAN_DO, [name]));
    this.#grabbing.open(connection);
  }

  onReady(): void {
    this.#options.onReady();
  }

  onPacket(type: PacketType, body: Buffer, bodyBytes: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (type === PACKET.JOB_ASSIGN_UNIQ || type === PACKET.JOB_ASSIGN) this.#takeJob(connection, parseAssignedJob(type, body, bodyBytes));
    else if (type === PACKET.NO_JOB) this.#sleep();
    else if (type === PACKET.NOOP) this.#grabbing.rouse();
    else if (type === PACKET.STATUS_RES_UNIQUE) this.#builds.takeClientCount(body);
    else if (type === PACKET.ERROR) this.#noteError(body);
  }

  onClose(): void {
    this.#connection = undefined;
    this.#isHandingBack = false;
    this.#grabbing.close();
    const builds = this.#builds.lose();
    const { server, logger } = this.#options;
    if (builds > 0) logger.warn({ server, lane: this.name, builds }, "lost the link of running builds");
    this.#grabbing.releaseSlot();
    this.#closeIfDone();
  }

  /** A build may wait for its request now, or what waits in line may begin: asks for the one, slot or not, and serves the other. */
  lookAgain(): void {
    this.#grabbing.look();
  }

  #sleep(): void {
    this.#grabbing.sleep();
    this.#closeIfDone();
  }

  #takeJob(connection: OpenConnection, job: AssignedJob): void {
    const slot = this.#grabbing.take();
    const { server, logger } = this.#options;
    const { functionName, key: handle } = job;
    const found = this.#builds.compare(job);
    if (found === "another under a handle in use") {
      // For two jobs no answer would do, so the server must take both back. Nothing is asked for with the slot over what is about to close.
      const violation = protocolViolation(`${server} gave the handle ${handle} to a second job while the first is running`);
      connection.destroy(violation);
      slot.release();
      throw violation;
    }
    if (found === "the same again") {
      logger.warn({ server, handle, functionName }, "ignored a build that was assigned a second time");
      slot.release();
    } else if (this.#functions.has(functionName)) {
      this.#begin(connection, job, slot);
    } else {
      logger.warn({ server, handle, functionName }, "refused a build of a function that the lane does not serve");
      connection.send(encodePacket(PACKET.WORK_FAIL, [job.handle]));
      slot.release();
    }
    this.#grabbing.look();
    this.#closeIfDone();
  }

  #begin(connection: OpenConnection, job: AssignedJob, slot: AssignedSlot): void {
    const { server, logger, onAssignment } = this.#options;
    const assignment = this.#builds.add(connection, job, slot);
    try {
      onAssignment(assignment);
    } catch (error) {
      logger.error({ server, handle: job.key, error: coerceError(error).stack }, "failed to take a build");
      void assignment.fail();
      slot.release();
    }
    assignment.countClients();
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
        { server, lane: this.name, builds: this.#builds.size },
        "lets the server take builds back: this replica is the holder no more",
      );
    }
    this.#isHandingBack = true;
    this.#grabbing.pause();
    this.#closeIfDone();
    return true;
  }

  #closeIfDone(): void {
    if (this.#isHandingBack) {
      // Closed before the server has read an end that was sent, it would give that build out once more.
      if (this.#builds.areEndsUnread) return;
      this.#connection?.destroy(new GearmanError("TH_GEARMAN_STOPPED", `${this.name} gives its builds back`));
      return;
    }
    if (!this.#isRetired || this.#grabbing.isAsking || this.#builds.size > 0) return;
    if (this.#connection === undefined) this.#options.onRetired();
    else this.#connection.destroy(new GearmanError("TH_GEARMAN_STOPPED", `${this.name} has served its last build`));
  }
}
