/** Runs pieces of work, at most so many at once; the others wait in line, first come first served. */
interface ConcurrencyLimit {
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function makeConcurrencyLimit(max: number): ConcurrencyLimit {
  const waiting = new Set<() => void>();
  let running = 0;

  /** Whoever ends hands its place on, so that nobody who comes just then gets in between. */
  function leave(): void {
    const [next] = waiting;
    if (next === undefined) {
      running -= 1;
      return;
    }
    waiting.delete(next);
    next();
  }

  return {
    async run(work) {
      if (running < max) running += 1;
      else await new Promise<void>((resolve) => waiting.add(resolve));
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
