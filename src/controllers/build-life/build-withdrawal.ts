import type { Withdrawal } from "../../core/verdict/sighting.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { BuildRecord } from "./build-record.ts";
import type { Conversation } from "./conversation.ts";

export interface BuildWithdrawalOptions {
  conversation: Pick<Conversation, "look">;
  record: Pick<BuildRecord, "cancel" | "isCancelled">;
  clock: Clock;
  logger(): Logger;
  /** It is to end, though nobody here was told so: the next look finds out. */
  onWithdrawn(): void;
}

/** Whether a build is to end before its test has, and why: Zuul stopped it, which stands, or nobody asks for it any more. */
export class BuildWithdrawal {
  readonly #options: BuildWithdrawalOptions;
  #reason: Withdrawal | undefined;

  constructor(options: BuildWithdrawalOptions) {
    this.#options = options;
  }

  get reason(): Withdrawal | undefined {
    return this.#reason;
  }

  /** Zuul's `stop:`. Returns false where that is no news. */
  stop(): boolean {
    const { record, clock, logger } = this.#options;
    if (this.#reason === "stop") return false;
    this.#reason = "stop";
    record.cancel(clock.now());
    logger().info({}, "stops the build as Zuul asked");
    return true;
  }

  /** Its Job may say that Zuul has stopped it, as another replica was told, or the one before this. */
  readRecord(): void {
    const { record, logger, onWithdrawn } = this.#options;
    if (this.#reason || !record.isCancelled) return;
    this.#reason = "stop";
    logger().info({}, "stops the build as Zuul asked another replica");
    onWithdrawn();
  }

  /** Gives up a build that nobody has asked for in time; returns when to look again. */
  checkClaim(): number | undefined {
    const leftMs = this.#options.conversation.look();
    if (leftMs === undefined || this.#reason) return undefined;
    if (leftMs > 0) return leftMs;
    this.#options.logger().info({}, "gives up the build, nobody asks for it any more");
    this.#reason = "unclaimed";
    this.#options.onWithdrawn();
    return undefined;
  }

  /** Somebody asks for it after all. */
  resume(): void {
    if (this.#reason === "unclaimed") this.#reason = undefined;
  }
}
