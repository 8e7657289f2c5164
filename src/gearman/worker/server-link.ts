import type { Chance } from "../../core/job/claim-clock.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import type { Clock } from "../../runtime/clock.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { ConnectionTimes } from "../wire/connection.ts";
import type { GearmanError } from "../wire/gearman-error.ts";
import { Connector, type Role } from "./connector.ts";
import { Lane } from "./lane.ts";
import { Registrar, type ServerKind } from "./registrar.ts";
import type { LaneSpec } from "./registrations.ts";
import { StopListener } from "./stop-listener.ts";

interface LinkLimits {
  /** Payloads above this are cut, see `Assignment.payload`. Default 64 MiB. */
  readonly payloadBytes?: number;
  /** How long nobody may wait for a build before `Assignment.clientGone` aborts. Found out within 30 s more. Default 60 s. */
  readonly clientGoneAfterMs?: number;
  /** Defaults: DEFAULT_CONNECTION_TIMES. */
  readonly times?: Partial<ConnectionTimes>;
}

export interface ServerLinkOptions {
  /** Beginning of every connection's SET_CLIENT_ID; each adds its role. */
  readonly clientId: string;
  /** Every server gets a connection that serves `stop:<managerName>`. */
  readonly managerName: string;
  readonly limits?: LinkLimits;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called synchronously as the packet is read; what it sends leaves as soon as it returns. If it throws, the build gets WORK_FAIL. */
  onAssignment(assignment: Assignment): void;
  /** Whether a build that is under way waits for its request from this server, under a function for which `serves` holds. */
  isAwaited(server: string, serves: (functionName: string) => boolean): boolean;
  /** A `stop:` request; answered with WORK_COMPLETE right after the call, whatever happens. */
  onStop(payload: Buffer, server: string): void;
  /** Something that the link tells of itself has changed. */
  onChange(): void;
}

/** Zuul relaunches builds within seconds when its connection is back, and the relaunch must find the build. */
const CLIENT_GONE_AFTER_MS = 60_000;

/** Everything towards one server: registrar, manager and lanes, in this order on one connector. */
export class ServerLink {
  readonly server: string;
  readonly #options: ServerLinkOptions;
  readonly #connector: Connector;
  readonly #registrar: Registrar;
  /** By the name in the registrations. */
  readonly #lanes = new Map<string, Lane>();
  /** Those that have others in their places and builds of their own yet. */
  readonly #retiring = new Set<Lane>();
  #isStopped: boolean = false;
  #isGrabbingStopped: boolean = false;
  #lastError: string | undefined;
  /** What it was found to be last: lanes may be back before the registrar is, which finds that out. */
  #knownKind: ServerKind = "unknown";
  /** What was logged last, so that a state is logged once and not with every attempt. */
  #loggedState: "new" | "unreachable" | `registered ${ServerKind}` | "lost" = "new";

  /** `server` is "host:port". */
  constructor(server: string, options: ServerLinkOptions) {
    const { clientId, managerName, limits: { times } = {}, logger, clock, onStop } = options;
    this.server = server;
    this.#options = options;
    this.#connector = new Connector({
      server,
      logger,
      clock,
      ...(times === undefined ? {} : { times }),
      onTrouble: (role, reason) => this.#takeTrouble(role, reason),
    });
    this.#registrar = new Registrar({ clientId: `${clientId}/registrar`, onChange: () => this.#takeRegistrarChange() });
    this.#connector.add(this.#registrar);
    this.#connector.add(new StopListener({ server, clientId: `${clientId}/manager`, managerName, logger, onStop }));
  }

  get isConnected(): boolean {
    return this.#registrar.isConnected;
  }

  get isRegistered(): boolean {
    return this.#registrar.isRegistered;
  }

  get kind(): ServerKind {
    return this.#registrar.kind;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Whether a build of this function could be handed out to us now. */
  chance(functionName: string): Chance {
    if (!this.isConnected) return "away";
    const lane = [...this.#lanes.values()].find((each) => each.serves(functionName));
    return lane?.chance ?? "none";
  }

  start(): void {
    this.#connector.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#connector.stop();
  }

  reclaim(): void {
    for (const lane of this.#lanes.values()) lane.lookAgain();
  }

  stopGrabbing(): void {
    this.#isGrabbingStopped = true;
    for (const lane of this.#lanes.values()) lane.stopGrabbing();
  }

  setRegistrations(functions: ReadonlySet<string>, lanes: readonly LaneSpec[]): void {
    this.#registrar.setFunctions(functions);
    const wanted = new Map(lanes.filter((spec) => spec.functions.length > 0).map((spec) => [spec.name, spec]));
    for (const [name, lane] of [...this.#lanes]) {
      const spec = wanted.get(name);
      if (spec !== undefined && lane.canAdopt(new Set(spec.functions))) continue;
      this.#lanes.delete(name);
      this.#retiring.add(lane);
      lane.retire();
    }
    for (const spec of wanted.values()) {
      const lane = this.#lanes.get(spec.name);
      if (lane === undefined) this.#addLane(spec);
      else lane.adopt(new Set(spec.functions), spec.slots);
    }
    // What waits in their lines may begin by limits that are others now.
    for (const lane of [...this.#retiring, ...this.#lanes.values()]) lane.lookAgain();
  }

  #addLane(spec: LaneSpec): void {
    const { clientId, limits: { payloadBytes, clientGoneAfterMs } = {}, logger, clock, onAssignment } = this.#options;
    const lane = new Lane({
      server: this.server,
      ...spec,
      clientId: `${clientId}/lane/${spec.name}`,
      ...(payloadBytes === undefined ? {} : { payloadLimitBytes: payloadBytes }),
      countsClients: () => this.kind === "gearmand",
      queuesAgain: () => this.#knownKind === "gearmand",
      clientGoneAfterMs: clientGoneAfterMs ?? CLIENT_GONE_AFTER_MS,
      logger,
      clock,
      onAssignment,
      isAwaited: (serves) => this.#options.isAwaited(this.server, serves),
      onReady: () => this.#options.onChange(),
      onRetired: () => {
        this.#retiring.delete(lane);
        this.#connector.remove(lane);
      },
    });
    if (this.#isGrabbingStopped) lane.stopGrabbing();
    this.#lanes.set(spec.name, lane);
    this.#connector.add(lane);
  }

  #takeTrouble(role: Role, reason: GearmanError): void {
    const { server } = this;
    const { logger } = this.#options;
    const isNews = reason.message !== this.#lastError;
    this.#lastError = reason.message;
    const fields = { server, role: role.name, code: reason.code, reason: reason.message };
    if (reason.code === "TH_GEARMAN_CONNECT") {
      if (this.#loggedState !== "unreachable") logger.warn(fields, "cannot reach the gearman server, trying again");
      this.#loggedState = "unreachable";
    } else if (role === this.#registrar && this.#loggedState !== "lost") {
      logger.warn(fields, "lost the gearman server, connecting again");
      this.#loggedState = "lost";
    } else if (reason.code !== "TH_GEARMAN_LOST" && isNews) {
      const stack = reason.code === "TH_GEARMAN_INTERNAL" ? { stack: coerceError(reason.cause).stack } : {};
      logger.error({ ...fields, ...stack }, "gave up a connection to the gearman server, connecting again");
    } else {
      logger.debug(fields, "lost a connection, connecting again");
    }
    this.#options.onChange();
  }

  #takeRegistrarChange(): void {
    const { server } = this;
    const { logger } = this.#options;
    if (this.kind !== "unknown") this.#knownKind = this.kind;
    const state = `registered ${this.kind}` as const;
    if (this.isRegistered && this.kind !== "unknown" && this.#loggedState !== state) {
      this.#lastError = undefined;
      logger.info({ server, kind: this.kind }, "registered at the gearman server");
      this.#loggedState = state;
    }
    if (!this.#isStopped) this.#options.onChange();
  }
}
