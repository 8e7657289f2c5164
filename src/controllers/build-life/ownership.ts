import type { Job } from "../../core/kubernetes/objects.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Wakeup } from "../../runtime/wakeup.ts";
import type { ReplicaRoles } from "../ports.ts";
import type { BuildRecord } from "./build-record.ts";
import type { Conversation } from "./conversation.ts";

/** How often a build that another replica carries out is looked at when nothing of it changes. */
const LOOK_MS = 30_000;
const RETRY_MS = 5000;

export interface OwnershipOptions {
  replicas: ReplicaRoles;
  conversation: Conversation;
  record: BuildRecord;
  /** The build's, as the watch shows it. */
  cachedJob(): Job | undefined;
  wakeup: Wakeup;
  logger(): Logger;
}

/**
 * Whose a build is to carry out: of the replica that answers a request for it, and where none does that lives, of the holder. Any other replica
 * forgets it; the holder watches a build of another, since it counts, until that one gives it up or is gone.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  #wasOurs = true;

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  get isOurs(): boolean {
    const { replicas, conversation, record } = this.#options;
    if (conversation.isClaimed) return true;
    if (!replicas.isHolder) return false;
    return record.replica === undefined || record.replica === replicas.name || !replicas.isAlive(record.replica);
  }

  /** Reads what the Job says of the build, then tells whether it is this replica's. */
  look(): boolean {
    const { conversation, record } = this.#options;
    const job = this.#options.cachedJob();
    if (job && !record.observe(job)) this.yield();
    const { isOurs } = this;
    // Whoever had it may just have gone: those who ask for it have the whole time from now on.
    if (isOurs && !this.#wasOurs) conversation.restart();
    this.#wasOurs = isOurs;
    return isOurs;
  }

  /** The Job answers another replica's request by now: whoever asked here asks no more. */
  yield(): void {
    const { conversation, record, logger } = this.#options;
    logger().warn({ replica: record.replica }, "leaves the build to the replica that answers for it now");
    conversation.giveUp();
  }

  /**
   * One turn for a build that is not this replica's. "watched": look again. "forgotten": it is another's, and the Job does not say any more that
   * somebody here answers for it. "over": nothing is left to do for it anywhere.
   */
  async standBy(stopping: AbortSignal): Promise<"watched" | "forgotten" | "over"> {
    const { replicas, conversation, record, wakeup, logger } = this.#options;
    try {
      if (!replicas.isHolder) record.release();
      await record.write();
      if (!replicas.isHolder) return conversation.isClaimed ? "watched" : "forgotten";
    } catch (error) {
      logger().warn({ err: coerceError(error) }, "retries what the API server did not do");
      await wakeup.wait(RETRY_MS, stopping);
      return "watched";
    }
    if (!this.#options.cachedJob() || record.isDelivered) return "over";
    await wakeup.wait(LOOK_MS, stopping);
    return "watched";
  }
}
