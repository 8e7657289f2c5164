import type { JobRecord } from "../../core/job/record.ts";
import type { Servers } from "../ports.ts";
import type { BuildContext, UnclaimedBuild } from "./build-context.ts";
import type { Conversation } from "./conversation.ts";

export interface ClaimOptions {
  conversation: Pick<Conversation, "isClaimed" | "server">;
  /** What requests for it are known by. */
  record: Pick<JobRecord, "functionName" | "relaunchKey">;
  servers: Pick<Servers, "reclaim" | "handsOutAgain">;
  all: Pick<BuildContext, "unclaimed" | "delivered">;
  /** Of its Job; undefined while there is none. */
  jobUid(): string | undefined;
  /** It is carried out here, and not to end. */
  isCarriedOut(): boolean;
}

/**
 * What others may know of who asks for a build: lanes ask for its request, slot or not, while nobody does and somebody may; and once its answer
 * was read, whoever asks with the same unique wants another build, and must not find the Job of this one.
 */
export class Claim implements UnclaimedBuild {
  readonly #options: ClaimOptions;
  #isDelivered = false;

  constructor(options: ClaimOptions) {
    this.#options = options;
  }

  /** True once a Gearman server has read an answer. */
  get isDelivered(): boolean {
    return this.#isDelivered;
  }

  mayBeAskedFor(server: string, serves: (functionName: string) => boolean): boolean {
    const { conversation, record, servers, jobUid, isCarriedOut } = this.#options;
    if (conversation.isClaimed || this.#isDelivered || jobUid() === undefined || !isCarriedOut()) return false;
    if (conversation.server !== server || !serves(record.functionName)) return false;
    return record.relaunchKey !== undefined || servers.handsOutAgain(server);
  }

  /** Somebody asks for it, or does no more. */
  note(): void {
    const { conversation, servers, all } = this.#options;
    if (conversation.isClaimed) all.unclaimed.delete(this);
    else {
      all.unclaimed.add(this);
      servers.reclaim();
    }
  }

  /** It was found: nobody has asked for it here yet. The lanes ask when the links are there. */
  noteFound(): void {
    this.#options.all.unclaimed.add(this);
  }

  noteDelivery(): void {
    this.#isDelivered = true;
    const uid = this.#options.jobUid();
    if (uid !== undefined) this.#options.all.delivered.add(uid);
  }

  /** Nothing is left to do for the build: its Job says what there is to know. */
  close(): void {
    const { all, jobUid } = this.#options;
    all.unclaimed.delete(this);
    const uid = jobUid();
    if (uid !== undefined) all.delivered.delete(uid);
  }
}
