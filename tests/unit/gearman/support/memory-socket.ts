import { EventEmitter } from "node:events";
import type { Socket } from "node:net";

/** A socket without a network: the test is the peer. Only what `Connection` uses of a socket. */
export class MemorySocket extends EventEmitter {
  readonly writableLength = 0;
  isDestroyed: boolean = false;
  readonly #onWrite: (chunk: Buffer) => void;

  constructor(onWrite: (chunk: Buffer) => void) {
    super();
    this.#onWrite = onWrite;
  }

  get socket(): Socket {
    return this as unknown as Socket;
  }

  write(chunk: Buffer): void {
    if (!this.isDestroyed) this.#onWrite(chunk);
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    process.nextTick(() => this.emit("close"));
  }

  /** What the peer does; nothing reaches a destroyed socket. */
  receive(event: "connect" | "end"): void;
  receive(event: "data", chunk: Buffer): void;
  receive(event: "error", error: Error): void;
  receive(event: string, argument?: Buffer | Error): void {
    if (this.isDestroyed) return;
    this.emit(event, argument);
    if (event === "error") this.destroy();
  }
}
