import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeMetrics } from "../../../../src/metrics/metrics.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { makeInternalPages } from "../../../../src/web/pages/internal-pages.ts";

function makePages(failure?: string) {
  const readiness = () => ({ status: 503, body: "waits\n" });
  return makeInternalPages({ failure: () => failure, readiness, metrics: makeMetrics({ version: "1" }), clock: systemClock });
}

describe("the internal pages", () => {
  test("are healthy though nothing is ready, and not when the work has ended for good", async () => {
    assert.deepEqual(await makePages()("/healthz"), { status: 200, body: "ok\n" });
    assert.deepEqual(await makePages()("/readyz"), { status: 503, body: "waits\n" });
    assert.deepEqual(await makePages("could not begin")("/healthz"), { status: 503, body: "could not begin\n" });
  });

  test("have the metrics in Prometheus' text format, and nothing else", async () => {
    const pages = makePages();
    const answer = await pages("/metrics");
    assert.equal(answer?.status, 200);
    assert.equal(answer?.contentType, "text/plain; version=0.0.4; charset=utf-8");
    assert.match(answer?.body ?? "", /^# HELP turbo_hipster_builds_total .+\n# TYPE turbo_hipster_builds_total counter\n/);
    for (const path of ["/", "/metrics/", "/healthz/x", "/loglevel"]) assert.equal(await pages(path), undefined);
  });

  test("render the metrics once for all who ask at the same time, and probes need not wait for that", async () => {
    const rendered = Promise.withResolvers<{ contentType: string; body: string }>();
    let renders = 0;
    const pages = makeInternalPages({
      failure: () => undefined,
      readiness: () => ({ status: 200, body: "ok\n" }),
      metrics: {
        render() {
          renders += 1;
          return rendered.promise;
        },
      },
      clock: systemClock,
    });
    const scrapes = Array.from({ length: 100 }, () => pages("/metrics"));
    assert.deepEqual(await pages("/healthz"), { status: 200, body: "ok\n" });
    assert.deepEqual(await pages("/readyz"), { status: 200, body: "ok\n" });
    rendered.resolve({ contentType: "text/plain", body: "x 1\n" });
    for (const answer of await Promise.all(scrapes)) assert.deepEqual(answer, { status: 200, contentType: "text/plain", body: "x 1\n" });
    assert.equal(renders, 1);
  });
});
