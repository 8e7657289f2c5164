import type { Clock } from "../../runtime/clock.ts";
import { paced } from "../../runtime/paced.ts";
import type { Answer } from "../server.ts";

export interface InternalPagesOptions {
  /** What has ended this replica's work for good, if anything has: a sentence. */
  failure(): string | undefined;
  readiness(): Answer;
  metrics: { render(): Promise<{ contentType: string; body: string }> };
  clock: Clock;
}

/**
 * The pages of the internal port. `/healthz` asks only whether this process is alive and trying: that it answers shows that its event loop
 * turns, and a Gearman server or an API server that is down is no reason to start it anew. Scrapes of `/metrics`, however many, share what is
 * rendered and take no more than a tenth of the time: probes and builds have the rest.
 */
export function makeInternalPages({
  failure,
  readiness,
  metrics,
  clock,
}: InternalPagesOptions): (path: string) => Answer | Promise<Answer> | undefined {
  const renderMetrics = paced(() => metrics.render(), clock);
  return (path) => {
    switch (path) {
      case "/healthz": {
        const why = failure();
        return why === undefined ? { status: 200, body: "ok\n" } : { status: 503, body: `${why}\n` };
      }
      case "/readyz":
        return readiness();
      case "/metrics":
        return renderMetrics().then((rendered) => ({ status: 200, ...rendered }));
      default:
        return undefined;
    }
  };
}
