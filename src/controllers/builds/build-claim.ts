import { STEPS } from "../../core/observation/steps.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";

/** A build that nobody asks for any more is given up after this long; a requeue or a relaunch comes within seconds. */
const UNCLAIMED_MS = 120_000;
/** Nobody can ask while the server is away: that time does not count, but there is an end to it. */
const MAX_AWAY_MS = 15 * 60_000;

export interface BuildClaimOptions {
  /** The Gearman server ("host:port") that the build's request came from. */
  server: string;
  /** Whether we are connected to it. */
  isServerUp(server: string): boolean;
  /** Whether the request may be waiting there, because there is no room to take one. */
  mayBeAskedLater(server: string): boolean;
  clock: Clock;
  logger(): Logger;
  /** Somebody asks for the build, or does no more. */
  onChange(): void;
}

/** Who asks for a build: at most one request at a time, none while its link is lost, and for how long none. */
export class BuildClaim {
  readonly #options: BuildClaimOptions;
  #server: string;
  #assignment: Assignment | undefined;
  #unclaimedSinceMs: number;
  /** From when the unclaimed time counts; undefined while the server is away. */
  #countsFromMs: number | undefined;

  constructor(options: BuildClaimOptions) {
    this.#options = options;
    this.#server = options.server;
    this.#unclaimedSinceMs = options.clock.monotonicMs();
    if (options.isServerUp(options.server)) this.#countsFromMs = this.#unclaimedSinceMs;
  }

  get isClaimed(): boolean {
    return this.#assignment !== undefined;
  }

  /** Until an unclaimed build is given up: not positive when it is; undefined while somebody asks for it. */
  get leftMs(): number | undefined {
    if (this.#assignment) return undefined;
    const endMs = this.#countsFromMs === undefined ? this.#unclaimedSinceMs + MAX_AWAY_MS : this.#countsFromMs + UNCLAIMED_MS;
    return endMs - this.#options.clock.monotonicMs();
  }

  /** A Gearman server has come or gone. */
  noteServer(): void {
    if (this.#assignment) return;
    const isUp = this.#options.isServerUp(this.#server);
    if (isUp === (this.#countsFromMs !== undefined)) return;
    this.#countsFromMs = isUp ? this.#options.clock.monotonicMs() : undefined;
    this.#options.onChange();
  }

  /** While there is no room for the request that would claim the build, the time in which nobody does is not counted. */
  noteRoom(): void {
    const isCounted = this.#assignment === undefined && this.#countsFromMs !== undefined && Number.isFinite(this.#countsFromMs);
    if (isCounted && this.#options.mayBeAskedLater(this.#server)) this.#countsFromMs = this.#options.clock.monotonicMs();
  }

  /** Takes over a request; an earlier one, if any, is given back to its server. Says at once where the build stands. */
  take(assignment: Assignment, workData: string, step: number): void {
    if (this.#assignment) {
      this.#options.logger().warn({ server: assignment.server }, "replaces the request of this build by a newer one");
      void this.#assignment.fail();
    }
    this.#assignment = assignment;
    this.#server = assignment.server;
    assignment.sendData(workData);
    assignment.sendStatus(step, STEPS.length);
    const onLost = () => this.#lose(assignment);
    if (assignment.lost.aborted) onLost();
    else assignment.lost.addEventListener("abort", onLost, { once: true });
    assignment.clientGone.addEventListener("abort", () => this.#giveBack(assignment), { once: true });
    this.#options.onChange();
  }

  sendStatus(step: number): void {
    this.#assignment?.sendStatus(step, STEPS.length);
  }

  /**
   * Sends the last packets: `json` as data, then WORK_COMPLETE, or WORK_FAIL where Zuul is to run the build again. Resolves with true once
   * the server has read them, with false when nobody asks for the build or the link went first.
   */
  async answer(json: string, isRetry: boolean): Promise<boolean> {
    const assignment = this.#assignment;
    if (!assignment) return false;
    assignment.sendStatus(STEPS.length, STEPS.length);
    assignment.sendData(json);
    const outcome = isRetry ? await assignment.fail() : await assignment.complete(json);
    if (outcome === "lost") this.#lose(assignment);
    else if (this.#assignment === assignment) this.#assignment = undefined;
    return outcome === "delivered";
  }

  /** Those who may ask for it have the whole time again, from now on. */
  restart(): void {
    this.#unclaimedSinceMs = this.#options.clock.monotonicMs();
    this.#countsFromMs = this.#options.isServerUp(this.#server) ? this.#unclaimedSinceMs : undefined;
  }

  /** Another replica answers the build: the request, if there is one still, is given back to its server. */
  giveUp(): void {
    const assignment = this.#assignment;
    this.#assignment = undefined;
    this.restart();
    void assignment?.fail();
    this.#options.onChange();
  }

  /** After a defect of ours: the request must still be answered. */
  async fail(): Promise<void> {
    await this.#assignment?.fail();
  }

  #lose(assignment: Assignment): void {
    if (this.#assignment !== assignment) return;
    this.#assignment = undefined;
    this.restart();
    this.#options.logger().warn({}, "lost the link to whoever asked for the build");
    this.#options.onChange();
  }

  /** The server still has the request, but the client that waited for it has gone: it is given up without waiting again. */
  #giveBack(assignment: Assignment): void {
    if (this.#assignment !== assignment) return;
    this.#assignment = undefined;
    this.#countsFromMs = Number.NEGATIVE_INFINITY;
    this.#options.logger().warn({}, "nobody waits for the build at the server any more");
    void assignment.fail();
    this.#options.onChange();
  }
}
