/**
 * Something with a life of its own. `start` resolves when it is under way (not when what it talks to is there); `stop` is idempotent,
 * may be called before, during and after `start`, and resolves when no timer, socket or promise of it is left. Neither rejects for
 * trouble of the outside world; that is logged and retried.
 */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}
