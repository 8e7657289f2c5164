import type { Answer } from "../server.ts";

interface InternalPagesOptions {
  /** What has ended this replica's work for good, if anything has: a sentence. */
  failure(): string | undefined;
  readiness(): Answer;
  metrics: { render(): Promise<{ contentType: string; body: string }> };
}

/**
 * The pages of the internal port. `/healthz` asks only whether this process is alive and trying: that it answers shows that its event loop
 * turns, and a Gearman server or an API server that is down is no reason to start it anew.
 */
export function makeInternalPages({
  failure,
  readiness,
  metrics,
}: InternalPagesOptions): (path: string) => Answer | Promise<Answer> | undefined {
  return (path) => {
    switch (path) {
      case "/healthz": {
        const why = failure();
        return why === undefined ? { status: 200, body: "ok\n" } : { status: 503, body: `${why}\n` };
      }
      case "/readyz":
        return readiness();
      case "/metrics":
        return metrics.render().then((rendered) => ({ status: 200, ...rendered }));
      default:
        return undefined;
    }
  };
}
