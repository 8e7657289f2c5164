import { type Chance, type ClaimClock, claimLeftMs, noteChance, startClaimClock } from "../../core/job/claim-clock.ts";
import { STEPS } from "../../core/observation/steps.ts";
import { type ResultStyle, renderResult, type Verdict } from "../../core/verdict/verdict.ts";
import type { Assignment } from "../../core/zuul/assignment.ts";
import { renderFinalWorkData, type WorkData } from "../../core/zuul/work-data.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";

/** How often it is looked at whether somebody could ask for a build that nobody asks for: that may be so by now, or no more. */
const LOOK_MS = 10_000;

export interface ConversationOptions {
  /** The Gearman server ("host:port") that the build's request came from. */
  server: string;
  /** The first WORK_DATA; every later one is built on it. */
  workData: WorkData;
  nodeLabels: string[];
  resultStyle: ResultStyle;
  /** Whether a request for the build could reach us from this server now. */
  chance(server: string): Chance;
  clock: Clock;
  logger(): Logger;
  /** Somebody asks for the build, or does no more. */
  onChange(): void;
}

/** The node that a build ran on, and where it is kept. */
export interface AnsweredFrom {
  node?: string | undefined;
  url?: string | undefined;
}

/** Whether somebody asks for the build. */
type Claim =
  | { kind: "claimed"; assignment: Assignment }
  | { kind: "unclaimed"; clock: ClaimClock }
  /** Nobody will: the server still has the request and nobody waits for its answer there, or Zuul has launched the build anew. */
  | { kind: "dismissed" };

/**
 * What is said of a build to Zuul, and who listens: at most one request at a time, none while its link is lost, and for how long none. Gives
 * the request up in the end, but never the build.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  #server: string;
  #claim: Claim;
  /** How many of `STEPS` are done. */
  #step = 0;

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#server = options.server;
    this.#claim = this.#unclaimed();
  }

  get isClaimed(): boolean {
    return this.#claim.kind === "claimed";
  }

  /** Of the request that it answers, or answered last. */
  get server(): string {
    return this.#server;
  }

  /** The name of the step that the build is at. */
  get step(): string {
    return STEPS[this.#step] ?? "ended";
  }

  /**
   * Looks whether somebody could ask. Returns when to look again at a build that nobody asks for; not positive when it is given up; undefined
   * while somebody asks for it.
   */
  look(): number | undefined {
    if (this.#claim.kind === "claimed") return undefined;
    if (this.#claim.kind === "dismissed") return Number.NEGATIVE_INFINITY;
    this.#noteChance(this.#claim.clock);
    return Math.min(claimLeftMs(this.#claim.clock, this.#options.clock.monotonicMs()), LOOK_MS);
  }

  /** A Gearman server has come or gone. */
  noteServer(): void {
    if (this.#claim.kind !== "unclaimed") return;
    const before = this.#claim.clock.chance;
    if (this.#noteChance(this.#claim.clock) !== before) this.#options.onChange();
  }

  /** Takes over a request; an earlier one, if any, is given back to its server. Says at once where the build stands. */
  take(assignment: Assignment): void {
    if (this.#claim.kind === "claimed") {
      this.#options.logger().warn({ server: assignment.server }, "replaces the request of this build by a newer one");
      void this.#claim.assignment.fail();
    }
    this.#claim = { kind: "claimed", assignment };
    this.#server = assignment.server;
    assignment.sendData(JSON.stringify(this.#options.workData));
    assignment.sendStatus(this.#step, STEPS.length);
    const onLost = () => this.#lose(assignment);
    if (assignment.lost.aborted) onLost();
    else assignment.lost.addEventListener("abort", onLost, { once: true });
    assignment.clientGone.addEventListener("abort", () => this.#giveBack(assignment), { once: true });
    this.#options.onChange();
  }

  /** Tells that so many of `STEPS` are done; false when that was known already. */
  reach(step: number): boolean {
    if (step <= this.#step) return false;
    this.#step = step;
    if (this.#claim.kind === "claimed") this.#claim.assignment.sendStatus(step, STEPS.length);
    return true;
  }

  /** The build has its verdict: what is said of its steps from now on comes with the answer. */
  conclude(): void {
    this.#step = STEPS.length;
  }

  /**
   * Sends the last packets: the whole as data, then WORK_COMPLETE, or WORK_FAIL where Zuul is to run the build again. `url` is where the
   * build is kept, if it is. Resolves with true once the server has read them, with false when nobody asks for the build or the link went first.
   */
  async answer(verdict: Verdict, { node, url }: AnsweredFrom = {}): Promise<boolean> {
    if (this.#claim.kind !== "claimed") return false;
    const { assignment } = this.#claim;
    const { workData, nodeLabels, resultStyle } = this.#options;
    const result = renderResult(verdict, resultStyle);
    const json = JSON.stringify(renderFinalWorkData(workData, { result, node, nodeLabels, url }));
    assignment.sendStatus(STEPS.length, STEPS.length);
    assignment.sendData(json);
    const outcome = result === null ? await assignment.fail() : await assignment.complete(json);
    if (outcome === "lost") this.#lose(assignment);
    else if (this.#holds(assignment)) this.#letGo();
    return outcome === "delivered";
  }

  /** Those who may ask for it have the whole time again, from now on. */
  restart(): void {
    if (this.#claim.kind !== "unclaimed") return;
    this.#claim = this.#unclaimed();
    this.#options.onChange();
  }

  /** Nobody will ask for it any more: it is given up without waiting. Returns false where somebody asks for it still. */
  dismiss(): boolean {
    if (this.#claim.kind === "claimed") return false;
    this.#claim = { kind: "dismissed" };
    return true;
  }

  /** Another replica answers the build: the request, if there is one still, is given back to its server. */
  giveUp(): void {
    const claim = this.#claim;
    this.#letGo();
    if (claim.kind === "claimed") void claim.assignment.fail();
    this.#options.onChange();
  }

  /** The build was not begun and is to be another replica's: its request goes back to its server, and is lost soon or given up. */
  handBack(): void {
    if (this.#claim.kind === "claimed" && !this.#claim.assignment.handBack()) this.giveUp();
  }

  /** After a defect of ours: the request must still be answered. */
  async fail(): Promise<void> {
    if (this.#claim.kind === "claimed") await this.#claim.assignment.fail();
  }

  #noteChance(clock: ClaimClock): Chance {
    const chance = this.#options.chance(this.#server);
    this.#claim = { kind: "unclaimed", clock: noteChance(clock, chance, this.#options.clock.monotonicMs()) };
    return chance;
  }

  #letGo(): void {
    this.#claim = this.#unclaimed();
  }

  #unclaimed(): Claim {
    const chance = this.#options.chance(this.#server);
    return { kind: "unclaimed", clock: startClaimClock(chance, this.#options.clock.monotonicMs()) };
  }

  #holds(assignment: Assignment): boolean {
    return this.#claim.kind === "claimed" && this.#claim.assignment === assignment;
  }

  #lose(assignment: Assignment): void {
    if (!this.#holds(assignment)) return;
    this.#letGo();
    this.#options.logger().warn({}, "lost the link to whoever asked for the build");
    this.#options.onChange();
  }

  /** The server still has the request, but the client that waited for it has gone: it is given up without waiting again. */
  #giveBack(assignment: Assignment): void {
    if (!this.#holds(assignment)) return;
    this.#claim = { kind: "dismissed" };
    this.#options.logger().warn({}, "nobody waits for the build at the server any more");
    void assignment.fail();
    this.#options.onChange();
  }
}
