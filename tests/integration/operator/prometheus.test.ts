import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { dashboardQueries } from "../../../tools/chart/dashboard.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { startChild } from "../../support/child-process.ts";
import { findFreePort } from "../../support/free-port.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { prometheusProgram } from "../../support/prometheus/prometheus-program.ts";
import { numberOf, startStage } from "./stage.ts";

const ROOT = join(import.meta.dirname, "../../..");
const ALERTS = join(ROOT, "charts/turbo-hipster/files/alerts.yaml");
const LIMIT_MS = 60_000;

/** A Prometheus that reads one target every second, as one replica of an installation, and the chart's alerts. */
async function startPrometheus(target: string) {
  const directory = await mkdtemp(join(tmpdir(), "th-prometheus-"));
  const labels = { namespace: "ops", pod: "a" };
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [ALERTS],
    scrape_configs: [{ job_name: "turbo-hipster", static_configs: [{ targets: [target], labels }] }],
  };
  await writeFile(join(directory, "prometheus.json"), JSON.stringify(config));
  const address = `127.0.0.1:${await findFreePort()}`;
  const child = await startChild({
    command: await prometheusProgram("prometheus"),
    args: [`--config.file=${directory}/prometheus.json`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=${address}`],
    cwd: directory,
  });
  const get = async (path: string) => {
    const { status, data, error } = (await (await fetch(`http://${address}/api/v1/${path}`)).json()) as Record<string, unknown>;
    assert.equal(status, "success", String(error));
    // biome-ignore lint/suspicious/noExplicitAny: what each path gives is of its own
    return data as any;
  };
  return {
    get,
    query: async (query: string): Promise<unknown[]> => (await get(`query?query=${encodeURIComponent(query)}`)).result,
    async [Symbol.asyncDispose]() {
      await child.stop();
      await rm(directory, { recursive: true, force: true });
    },
    ready: () => child.logged("Server is ready to receive web requests", LIMIT_MS),
  };
}

describe("the chart's alerts, as promtool sees them,", () => {
  test("are rules, without anything that it warns of", async () => {
    const output = await runCommand(await prometheusProgram("promtool"), ["check", "rules", "--lint=all", "--lint-fatal", ALERTS]);
    assert.match(output, /SUCCESS: \d+ rules found/);
  });

  test("fire when they should, and not otherwise", async () => {
    await runCommand(await prometheusProgram("promtool"), ["test", "rules", join(ROOT, "tests/fixtures/alerts/alerts-test.yaml")]);
  });
});

test("the operator's metrics are as promtool wants them, and a real Prometheus has data for every query of the dashboard", async () => {
  await using stage = await startStage({
    start: () => startGearmand(),
    tasks: { unit: {}, lasts: {} },
    script: ({ metadata }) => (metadata.name?.startsWith("lasts-") ? { finished: new Promise(() => {}) } : {}),
  });
  await stage.recorded(await numberOf(await stage.submit("unit")));
  await stage.running(await numberOf(await stage.submit("lasts")));
  const target = `127.0.0.1:${stage.operator.ports.internal}`;
  const metrics = await (await fetch(`http://${target}/metrics`)).text();
  await runCommand(await prometheusProgram("promtool"), ["check", "metrics"], { input: metrics });

  await using prometheus = await startPrometheus(target);
  await prometheus.ready();
  for (const query of dashboardQueries()) {
    const filled = query.replaceAll("$namespace", "ops").replaceAll("$job", "turbo-hipster").replaceAll("$__rate_interval", "10s");
    await waitUntil(`data for ${filled}`, LIMIT_MS, async () => (await prometheus.query(filled)).length > 0);
  }
  const { groups } = await prometheus.get("rules");
  const unhealthy = groups.flatMap(({ rules }: { rules: { health: string; name: string }[] }) =>
    rules.filter(({ health }) => health === "err"),
  );
  assert.deepEqual(unhealthy, []);
});
