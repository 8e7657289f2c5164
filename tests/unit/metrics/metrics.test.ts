import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type MetricSources, makeMetrics } from "../../../src/metrics/metrics.ts";

const EMPTY: MetricSources = {
  isHolder: () => true,
  activeBuilds: () => [],
  pendingBuilds: () => 0,
  undeliveredBuilds: () => 0,
  longestUnstoredMs: () => 0,
  pools: () => [],
  servers: () => [],
  watchAgesMs: () => ({}),
  testTaskReadiness: () => [],
};

async function linesOf(metrics: ReturnType<typeof makeMetrics>, prefix: string): Promise<string[]> {
  const { body } = await metrics.render();
  return body.split("\n").filter((line) => line.startsWith(prefix));
}

describe("the metrics", () => {
  test("are named after the program, what is counted and its unit, and counters end in _total", () => {
    for (const { name, type, help } of makeMetrics({ version: "1" }).describe()) {
      assert.match(
        name,
        /^(turbo_hipster|process)_[a-z_]*(seconds|bytes|builds|slots|links|tasks|calls|answers|fds|leases|info)(_total)?$/,
      );
      assert.equal(name.endsWith("_total"), type === "counter", name);
      assert.match(help, /\.$/);
    }
  });

  test("count builds by TestTask and class, and requests that no TestTask serves without one", async () => {
    const metrics = makeMetrics({ version: "1" });
    metrics.noteVerdict("ci/unit", "success");
    metrics.noteVerdict("ci/unit", "success");
    metrics.noteVerdict(undefined, "configuration");
    assert.deepEqual(await linesOf(metrics, "turbo_hipster_builds_total"), [
      'turbo_hipster_builds_total{task="ci/unit",class="success"} 2',
      'turbo_hipster_builds_total{task="",class="configuration"} 1',
    ]);
  });

  test("count the builds of more than 1000 TestTasks under one name", async () => {
    const metrics = makeMetrics({ version: "1" });
    const tasks = Array.from({ length: 1010 }, (_, index) => `ci/task-${index}`);
    for (const task of [...tasks, "ci/task-0"]) metrics.noteVerdict(task, "failure");
    metrics.connect({ ...EMPTY, activeBuilds: () => tasks.map((task) => [task, 2] as const) });
    const total = await linesOf(metrics, "turbo_hipster_builds_total");
    assert.equal(total.length, 1001);
    assert.ok(total.includes('turbo_hipster_builds_total{task="ci/task-0",class="failure"} 2'));
    assert.ok(total.includes('turbo_hipster_builds_total{task="other",class="failure"} 10'));
    const active = await linesOf(metrics, "turbo_hipster_active_builds");
    assert.equal(active.length, 1001);
    assert.equal(active.at(-1), 'turbo_hipster_active_builds{task="other"} 20');
  });

  test("time phases in seconds, and answers by what became of them", async () => {
    const metrics = makeMetrics({ version: "1" });
    metrics.notePhase("running", 1500);
    metrics.notePhase("running", -1);
    for (const isDelivered of [true, true, false]) metrics.noteAnswer(isDelivered);
    assert.deepEqual(
      (await linesOf(metrics, "turbo_hipster_build_phase_seconds")).filter((line) => !/le="(0|1|5|[1-9]\d+|\+)/.test(line)),
      [
        'turbo_hipster_build_phase_seconds_bucket{le="2",phase="running"} 2',
        'turbo_hipster_build_phase_seconds_sum{phase="running"} 1.5',
        'turbo_hipster_build_phase_seconds_count{phase="running"} 2',
      ],
    );
    assert.deepEqual(await linesOf(metrics, "turbo_hipster_answers_total"), [
      'turbo_hipster_answers_total{outcome="delivered"} 2',
      'turbo_hipster_answers_total{outcome="undelivered"} 1',
    ]);
  });

  test("count calls to the API server by verb, resource and code, and time them without the code", async () => {
    const metrics = makeMetrics({ version: "1" });
    for (const code of [201, 500, 0]) metrics.noteCall({ verb: "create", resource: "jobs", code, ms: 20 });
    assert.deepEqual(await linesOf(metrics, "turbo_hipster_api_calls_total"), [
      'turbo_hipster_api_calls_total{verb="create",resource="jobs",code="201"} 1',
      'turbo_hipster_api_calls_total{verb="create",resource="jobs",code="500"} 1',
      'turbo_hipster_api_calls_total{verb="create",resource="jobs",code="0"} 1',
    ]);
    assert.deepEqual(await linesOf(metrics, "turbo_hipster_api_call_seconds_count"), [
      'turbo_hipster_api_call_seconds_count{verb="create",resource="jobs"} 3',
    ]);
  });

  test("are read anew at each scrape: what is gone is told no more", async () => {
    const metrics = makeMetrics({ version: "1" });
    assert.deepEqual(await linesOf(metrics, "turbo_hipster_active_builds"), [], "nothing is known yet");
    metrics.connect({
      isHolder: () => false,
      activeBuilds: () => [["ci/unit", 2]],
      pendingBuilds: () => 1,
      undeliveredBuilds: () => 3,
      longestUnstoredMs: () => 1500,
      pools: () => [{ name: "installation", used: 2, capacity: 100 }],
      servers: () => [{ server: "zuul:4730", isConnected: true, isRegistered: false }],
      watchAgesMs: () => ({ jobs: 1500 }),
      testTaskReadiness: () => ["True", "False", undefined, "nonsense", "True"],
    });
    const gauges = [
      ...["held_leases", "active_builds", "pending_builds", "undelivered_builds", "unstored_seconds"],
      ...[
        "pool_used_slots",
        "pool_capacity_slots",
        "gearman_connected_links",
        "gearman_registered_links",
        "watch_age_seconds",
        "test_tasks",
      ],
    ];
    const read = async () => (await Promise.all(gauges.map((name) => linesOf(metrics, `turbo_hipster_${name}`)))).flat();
    assert.deepEqual(await read(), [
      "turbo_hipster_held_leases 0",
      'turbo_hipster_active_builds{task="ci/unit"} 2',
      "turbo_hipster_pending_builds 1",
      "turbo_hipster_undelivered_builds 3",
      "turbo_hipster_unstored_seconds 1.5",
      'turbo_hipster_pool_used_slots{pool="installation"} 2',
      'turbo_hipster_pool_capacity_slots{pool="installation"} 100',
      'turbo_hipster_gearman_connected_links{server="zuul:4730"} 1',
      'turbo_hipster_gearman_registered_links{server="zuul:4730"} 0',
      'turbo_hipster_watch_age_seconds{resource="jobs"} 1.5',
      'turbo_hipster_test_tasks{ready="True"} 2',
      'turbo_hipster_test_tasks{ready="False"} 1',
      'turbo_hipster_test_tasks{ready="Unknown"} 2',
    ]);
    metrics.connect(EMPTY);
    assert.deepEqual(await linesOf(metrics, "turbo_hipster_active_builds"), []);
  });

  test("tell of this process what its system tells", async () => {
    const metrics = makeMetrics({ version: "1.2.3" });
    const value = async (name: string) => Number((await linesOf(metrics, `${name} `))[0]?.split(" ")[1]);
    assert.ok(Math.abs((await value("process_resident_memory_bytes")) / process.memoryUsage.rss() - 1) < 0.5);
    assert.ok(Math.abs((await value("process_start_time_seconds")) - Date.now() / 1000) < 600);
    const cpu = await value("process_cpu_seconds_total");
    assert.ok(cpu > 0 && cpu < 600);
    assert.ok((await value("process_cpu_seconds_total")) < 2 * cpu + 1, "read, not added up");
    assert.ok((await value("process_open_fds")) > 2);
    assert.deepEqual(await linesOf(metrics, "turbo_hipster_version_info"), ['turbo_hipster_version_info{version="1.2.3"} 1']);
  });
});
