import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dashboardQueries } from "../../../tools/chart/dashboard.ts";
import { waitUntil } from "../../../tools/machine/wait-until.ts";
import { startChild } from "../child-process.ts";
import { findFreePort } from "../free-port.ts";
import { prometheusProgram } from "./prometheus-program.ts";

/** The chart's alerts, as its PrometheusRule has them. */
export const ALERTS = join(import.meta.dirname, "../../../charts/turbo-hipster/files/alerts.yaml");

const LIMIT_MS = 60_000;

export interface Prometheus extends AsyncDisposable {
  /** What `/api/v1/PATH` gives. Fails where Prometheus refuses it. */
  // biome-ignore lint/suspicious/noExplicitAny: what each path gives is of its own
  get(path: string): Promise<any>;
  /** Waits until each query of the chart's dashboard has data; names the first that gets none. */
  untilDashboardHasData(): Promise<void>;
}

/**
 * A Prometheus that reads the operator's metrics at each target (`HOST:PORT`) every second, with the labels that a ServiceMonitor gives, and the
 * chart's alerts. Ready when it is given.
 */
export async function startPrometheus(targets: readonly string[]): Promise<Prometheus> {
  const command = await prometheusProgram("prometheus");
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "th-prometheus-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [ALERTS],
    scrape_configs: [
      {
        job_name: "turbo-hipster",
        static_configs: targets.map((target) => ({ targets: [target], labels: { namespace: "ops", pod: target } })),
      },
    ],
  };
  await writeFile(join(directory, "prometheus.json"), JSON.stringify(config));
  const address = `127.0.0.1:${await findFreePort()}`;
  const child = await startChild({
    command,
    args: [`--config.file=${directory}/prometheus.json`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=${address}`],
    cwd: directory,
  });
  stack.defer(async () => void (await child.stop()));
  const get = async (path: string) => {
    const { status, data, error } = (await (await fetch(`http://${address}/api/v1/${path}`)).json()) as Record<string, unknown>;
    assert.equal(status, "success", String(error));
    // biome-ignore lint/suspicious/noExplicitAny: as above
    return data as any;
  };
  await child.logged("Server is ready to receive web requests", LIMIT_MS);
  const started = stack.move();
  return {
    get,
    async untilDashboardHasData() {
      for (const query of dashboardQueries()) {
        const filled = query.replaceAll("$namespace", "ops").replaceAll("$job", "turbo-hipster").replaceAll("$__rate_interval", "10s");
        const hasData = async () => (await get(`query?query=${encodeURIComponent(filled)}`)).result.length > 0;
        await waitUntil(`data for ${filled}`, LIMIT_MS, hasData);
      }
    },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
