import assert from "node:assert/strict";
import { test } from "node:test";
import {
  findMissedLimits,
  parseApiCalls,
  renderScale,
  type ScaleFacts,
  type ScaleReport,
  summarizeScale,
} from "../../../bench/scale/scale-summary.ts";

const METRICS = `# HELP turbo_hipster_api_calls_total Calls to the API server by verb, resource and HTTP status (0: no answer).
# TYPE turbo_hipster_api_calls_total counter
turbo_hipster_api_calls_total{verb="create",resource="jobs",code="201"} 100
turbo_hipster_api_calls_total{verb="create",resource="jobs",code="0"} 2
turbo_hipster_api_calls_total{verb="patch",resource="jobs",code="200"} 100
turbo_hipster_api_calls_total{verb="patch",resource="testtasks/status",code="200"} 5
turbo_hipster_api_calls_total{verb="get",resource="",code="200"} 1
turbo_hipster_api_call_seconds_bucket{le="0.005",verb="create",resource="jobs"} 3
turbo_hipster_api_call_seconds_sum{verb="create",resource="jobs"} 5.1
turbo_hipster_api_call_seconds_sum{verb="patch",resource="jobs"} 2
turbo_hipster_api_call_seconds_count{verb="create",resource="jobs"} 102
turbo_hipster_active_builds{task="ci/unit"} 3
`;

function makeFacts(change: Partial<ScaleFacts> = {}): ScaleFacts {
  const run = (seconds: number, operator: number) => ({ seconds, processors: { operator, etcd: 1 } });
  return {
    pairs: [
      { bare: run(20, 0), builds: run(21, 5) },
      { bare: run(30, 0), builds: run(33, 7) },
      { bare: run(10, 0), builds: run(12, 6) },
    ],
    calls: parseApiCalls(METRICS),
    atOnce: 1000,
    builds: 100,
    rssMb: { idle: 150.04, live1000: 200.26, after10000: 201 },
    eventLoopP99Ms: 12.34,
    ...change,
  };
}

function makeReport(change: Partial<ScaleReport> = {}): ScaleReport {
  return {
    ...{ bareSeconds: 20, buildsSeconds: 22, ratio: 1.1, requestsPerBuild: { create: 3, patch: 2 } },
    ...{ rssMb: { idle: 150, live1000: 300, after10000: 330 }, eventLoopP99Ms: 49.9 },
    ...change,
  };
}

test("the ratio is that of all seconds, so that a slow minute counts no more than it took", () => {
  const { bareSeconds, buildsSeconds, ratio } = summarizeScale(makeFacts());
  assert.deepEqual([bareSeconds, buildsSeconds, ratio], [20, 22, 1.1]);
});

test("calls are counted by verb, whatever they were for and however they ended", () => {
  assert.deepEqual(summarizeScale(makeFacts()).requestsPerBuild, { create: 1.02, patch: 1.05, get: 0.01 });
});

test("calls and their time are read by verb and resource from the metrics, buckets and other metrics left out", () => {
  assert.deepEqual(parseApiCalls(METRICS), [
    { verb: "create", resource: "jobs", count: 102, seconds: 5.1 },
    { verb: "patch", resource: "jobs", count: 100, seconds: 2 },
    { verb: "patch", resource: "testtasks/status", count: 5, seconds: 0 },
    { verb: "get", resource: "", count: 1, seconds: 0 },
  ]);
});

test("what is just within its limit is kept", () => {
  assert.deepEqual(findMissedLimits(makeReport()), []);
  assert.deepEqual(findMissedLimits(makeReport({ ratio: 1.15 })), []);
});

test("each limit is missed on its own, with its figure", () => {
  const rssMb = { idle: 150, live1000: 301, after10000: 301 };
  const cases: [Partial<ScaleReport>, RegExp][] = [
    [{ ratio: 1.151 }, /1\.151 times as long/],
    [{ requestsPerBuild: { create: 3, patch: 2.01 } }, /5\.01 requests/],
    [{ rssMb }, /301 MB with all builds live/],
    [{ rssMb: { ...rssMb, live1000: 200, after10000: 221 } }, /grew from 200 MB .* to 221 MB/],
    [{ eventLoopP99Ms: 50 }, /50 ms late/],
  ];
  for (const [change, sentence] of cases) {
    const missed = findMissedLimits(makeReport(change));
    assert.equal(missed.length, 1);
    assert.match(missed[0] ?? "", sentence);
  }
});

test("the text names what each request costs and what used the processor", () => {
  const facts = makeFacts();
  const text = renderScale(summarizeScale(facts), facts);
  assert.match(text, /create jobs +1\.020 for a build, +50\.0 ms each/);
  assert.match(text, /operator +0\.00 +6\.00/);
  assert.match(text, /in all +1\.00 +7\.00 +7\.000/);
  assert.match(text, /every limit is kept/);
});
