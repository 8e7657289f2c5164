import { coerceError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { ReplicaRoles } from "../ports.ts";

export interface HolderTermOptions {
  /** This replica's name. */
  replica: string;
  replicas: { readonly isHolder: boolean; isAlive(replica: string): boolean };
  /** Resolves once the caches hold all that was there when it was called. */
  refresh(): Promise<void>;
  /** `isHolder` or who is alive may have changed. */
  onChange(): void;
  logger: Logger;
}

/**
 * The time in which this replica acts as the holder. It begins when the replica holds the installation *and* has listed what there is since:
 * what its watches have missed of the holder's before it, must not be made once more.
 */
export class HolderTerm implements ReplicaRoles {
  readonly name: string;
  readonly #options: HolderTermOptions;
  /** undefined while this replica does not hold the installation. */
  #term: { isInformed: boolean } | undefined;
  #isStopping: boolean = false;

  constructor(options: HolderTermOptions) {
    this.#options = options;
    this.name = options.replica;
  }

  get isHolder(): boolean {
    return this.#options.replicas.isHolder && this.#term?.isInformed === true;
  }

  isAlive(replica: string): boolean {
    return this.#options.replicas.isAlive(replica);
  }

  /** Who holds the installation, or which replicas live, may have changed. */
  noteReplicas(): void {
    const { replicas, logger, onChange } = this.#options;
    if (replicas.isHolder && !this.#term) void this.#begin();
    if (!replicas.isHolder && this.#term) {
      this.#term = undefined;
      logger.info({ replica: this.name }, "takes no more builds");
    }
    onChange();
  }

  /** The operator stops: a listing that is cut off by that is no failure. */
  noteStop(): void {
    this.#isStopping = true;
  }

  async #begin(): Promise<void> {
    const { refresh, logger } = this.#options;
    const begun = { isInformed: false };
    this.#term = begun;
    try {
      await refresh();
    } catch (error) {
      if (!this.#isStopping) logger.error({ err: coerceError(error) }, "could not list what there is");
      return;
    }
    begun.isInformed = true;
    // The role may have been lost meanwhile, and be had again: that is another term, with a listing of its own.
    if (this.#term !== begun) return;
    logger.info({ replica: this.name }, "takes builds");
    this.noteReplicas();
  }
}
