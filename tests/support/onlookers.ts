/** Those who wait until something is so, asked again whenever something may have changed. */
export interface Onlookers {
  /** Something may have changed. They look in the next turn: by then whoever else is told has seen it. */
  look(): void;
  /** Resolves when it is so; rejects after `limitMs`. */
  until(isSo: () => boolean): Promise<void>;
}

export function makeOnlookers(limitMs: number): Onlookers {
  const waiting = new Set<() => void>();
  return {
    look: () =>
      void setImmediate(() => {
        for (const each of waiting) each();
      }),
    until(isSo) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const check = () => isSo() && resolve();
      const timer = setTimeout(() => reject(new Error(`not so within ${limitMs / 1000} s: ${isSo}`)), limitMs);
      waiting.add(check);
      check();
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(check);
      });
    },
  };
}
