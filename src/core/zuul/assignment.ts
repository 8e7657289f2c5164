export type Delivery = "delivered" | "lost";

/** The right to carry a build out. */
export interface AssignedSlot {
  /** Idempotent. */
  release(): void;
  /**
   * Of a request that was taken without a place, because one for a build that is under way may be behind it: `take` is called with the slot
   * once its turn has come, unless it was released before, and not before `mayBegin` says that it may: what limits its task may have come
   * after it. undefined where the slot is there already.
   */
  readonly onTurn?: (take: (slot: { release(): void }) => void, mayBegin: () => boolean) => void;
}

/** One Gearman request that a server has assigned to us. */
export interface Assignment {
  /** "host:port" as configured. */
  readonly server: string;
  /** For log lines only: it means nothing once `lost` has aborted, and another server or a restarted one uses it again. */
  readonly handle: string;
  /** e.g. `build:gate-nova`. */
  readonly functionName: string;
  /** As received, UTF-8 where it is UTF-8, else one character per byte. May be empty, "-" or very long. */
  readonly unique: string;
  /** As received; only the beginning of it when it was above the link's limit. */
  readonly payload: Uint8Array;
  /** The payload's length on the wire; larger than `payload.length` when the payload was cut. */
  readonly payloadBytes: number;
  /** Reserved before the server was asked, or a place in the line for one; the receiver owns it and must release it. */
  readonly slot: AssignedSlot;
  /** Aborts when the link it came over is gone, or has been told so already: nothing can be sent any more. */
  readonly lost: AbortSignal;
  /** Aborts when the link lives and nobody has waited for this build for `clientGoneAfterMs`, as far as the server tells. */
  readonly clientGone: AbortSignal;
  /** WORK_DATA. Nothing happens after the end or when lost. Leaves before the event loop goes on. */
  sendData(json: string): void;
  /** WORK_STATUS; likewise. */
  sendStatus(numerator: number, denominator: number): void;
  /**
   * WORK_COMPLETE, then a question on the same stream: "delivered" when its answer has come back, which proves that the server has read the
   * end; "lost" when the link went first, and then the server may or may not have it. Never rejects. The first end counts: a second call
   * sends nothing and gives the first one's outcome.
   */
  complete(json: string): Promise<Delivery>;
  /** WORK_FAIL, with the same proof. */
  fail(): Promise<Delivery>;
  /**
   * Of a build that was not begun: lets whoever takes builds now have the request, at no cost. True where its server queues again what a
   * connection leaves: then the lane's connection is closed, `lost` aborts for all on it, and they come again as after any lost link. False
   * where that would end them, or where it is not known what kind of server it is: nothing is done.
   */
  handBack(): boolean;
}
