/** When moments of Jobs were seen, in milliseconds of `performance.now()`. */
export interface Moments<Name extends string> {
  /** Now; what was seen before stands. */
  note(jobName: string, name: Name): void;
  /** When it was seen, be that before the call or after. Rejects with the signal's reason. */
  seen(jobName: string, name: Name, signal: AbortSignal): Promise<number>;
}

export function makeMoments<Name extends string>(): Moments<Name> {
  const moments = new Map<string, PromiseWithResolvers<number>>();
  const moment = (jobName: string, name: Name): PromiseWithResolvers<number> => {
    const key = `${jobName}/${name}`;
    const known = moments.get(key) ?? Promise.withResolvers<number>();
    moments.set(key, known);
    return known;
  };
  return {
    note: (jobName, name) => moment(jobName, name).resolve(performance.now()),
    seen: (jobName, name, signal) => Promise.race([moment(jobName, name).promise, rejectOnAbort(signal)]),
  };
}

export function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
