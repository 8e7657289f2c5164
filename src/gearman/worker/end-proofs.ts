/** Called once: with true when the server has read an end, with false when the connection went first. */
export type OnProof = (isProven: boolean) => void;

/**
 * Ends of builds of one connection that the server may not have read yet. It reads in order, so whatever it answers next has read all before:
 * the answer to a GRAB that went out after the end, or to a question of its own.
 */
export class EndProofs {
  #questions = 0;
  /** Of the end that went out together with the unanswered GRAB. */
  #byGrab: OnProof | undefined;

  /**
   * Whether questions are open. No GRAB is sent meanwhile: geard writes its two answers as two small segments, and TCP (Nagle there, delayed
   * acknowledgement here) would hold the second back for 40 ms, which limits a lane to 22 builds a second.
   */
  get areAsked(): boolean {
    return this.#questions > 0;
  }

  /** A GRAB was sent right after an end: its answer is the proof. */
  awaitGrab(onProof: OnProof): void {
    this.#byGrab = onProof;
  }

  /** The GRAB was answered, or its connection has gone. */
  noteGrab(isProven: boolean): void {
    const onProof = this.#byGrab;
    this.#byGrab = undefined;
    onProof?.(isProven);
  }

  /** A question was sent; what is returned takes its answer. */
  ask(onProof: OnProof): OnProof {
    this.#questions += 1;
    return (isProven) => {
      this.#questions -= 1;
      onProof(isProven);
    };
  }
}
