import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { makeMetrics } from "../../../src/metrics/metrics.ts";
import { dashboardQueries } from "../../../tools/chart/dashboard.ts";
import { CHART, type ChartObject, find, LEAST_VALUES, renderChart } from "./render-chart.ts";

interface Alert {
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** What every series of a scraped replica has. */
const TARGET_LABELS = ["namespace", "job", "pod", "instance"];
const SUFFIXES = { histogram: ["_bucket", "_sum", "_count"], counter: [""], gauge: [""] };

const file = parse(readFileSync(join(CHART, "files/alerts.yaml"), "utf8"));
const alerts: Alert[] = file.groups.flatMap(({ rules }: { rules: Alert[] }) => rules);
const page = readFileSync(join(import.meta.dirname, "../../../docs/metrics.md"), "utf8");
const fixture = readFileSync(join(import.meta.dirname, "../../fixtures/alerts/alerts-test.yaml"), "utf8");

/** Name of a series -> its labels. */
const series = new Map(
  makeMetrics({ version: "1" })
    .describe()
    .flatMap(({ name, type, labels }) =>
      SUFFIXES[type as keyof typeof SUFFIXES].map(
        (suffix) => [name + suffix, [...labels, ...(suffix === "_bucket" ? ["le"] : [])]] as const,
      ),
    ),
);

/** Throws where a query names a series that the operator does not have, or a label that those which it names have not. */
function checkQuery(query: string): void {
  const names = query.match(/\b(?:turbo_hipster|process)_[a-z_]+/g) ?? [];
  assert.ok(names.length > 0, query);
  const known = new Set(TARGET_LABELS);
  for (const name of names) {
    assert.ok(series.has(name), `${name} in ${query}`);
    for (const label of series.get(name) ?? []) known.add(label);
  }
  const matched = [...query.matchAll(/[{,]\s*([a-z_]+)\s*=~?"/g)].map(([, label]) => label);
  const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
  for (const label of [...matched, ...grouped]) assert.ok(label !== undefined && known.has(label), `${label} in ${query}`);
}

const everything = {
  ...LEAST_VALUES,
  monitoring: {
    serviceMonitor: { enabled: true, labels: { release: "prometheus" }, interval: "15s" },
    rules: { enabled: true, labels: { release: "prometheus" } },
    dashboard: { enabled: true },
  },
};
const dashboardOf = (objects: readonly ChartObject[]) => find(objects, "ConfigMap", "turbo-hipster-dashboard");

describe("what the chart has for Prometheus and Grafana", () => {
  test("is off by default", async () => {
    const objects = await renderChart(LEAST_VALUES);
    assert.ok(!objects.some(({ apiVersion, metadata }) => apiVersion.startsWith("monitoring") || metadata.name.endsWith("-dashboard")));
  });

  test("a ServiceMonitor has every replica read, at the port that has the metrics", async () => {
    const objects = await renderChart(everything);
    const { metadata, spec } = find(objects, "ServiceMonitor");
    const { selector, endpoints } = spec;
    assert.deepEqual(endpoints, [{ port: "internal", path: "/metrics", interval: "15s" }]);
    assert.equal(metadata.labels?.release, "prometheus");
    const services = objects.filter(({ kind }) => kind === "Service");
    const selected = services.filter(({ metadata: { labels = {} }, spec: { ports } }) => {
      const isSelected = Object.entries(selector.matchLabels).every(([key, value]) => labels[key] === value);
      return isSelected && ports.some(({ name }: { name: string }) => name === "internal");
    });
    assert.deepEqual(
      selected.map((service) => service.metadata.name),
      ["turbo-hipster-internal"],
    );
  });

  test("a ServiceMonitor changes labels of targets and of what is read as it is told, whatever looks like a template", async () => {
    const relabelings = [{ sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "node", replacement: "$1{{x}}" }];
    const metricRelabelings = [{ sourceLabels: ["__name__"], regex: "turbo_hipster_api_.*", action: "drop" }];
    const serviceMonitor = { ...everything.monitoring.serviceMonitor, relabelings, metricRelabelings };
    const { endpoints } = find(await renderChart({ ...LEAST_VALUES, monitoring: { serviceMonitor } }), "ServiceMonitor").spec;
    assert.deepEqual(endpoints, [{ port: "internal", path: "/metrics", interval: "15s", relabelings, metricRelabelings }]);
  });

  test("a PrometheusRule holds the file of alerts as it is, with the words that Prometheus fills in", async () => {
    const { spec, metadata } = find(await renderChart(everything), "PrometheusRule");
    assert.deepEqual(spec, file);
    assert.equal(metadata.labels?.release, "prometheus");
    assert.match(JSON.stringify(spec), /\{\{ \$labels\.server \}\}/);
  });

  test("a ConfigMap holds the dashboard, with the label that Grafana's sidecar goes by", async () => {
    const { metadata, data } = dashboardOf(await renderChart(everything));
    assert.equal(metadata.labels?.grafana_dashboard, "1");
    const dashboard = JSON.parse(data["turbo-hipster.json"]);
    const targets = dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) => targets.map(({ expr }) => expr));
    assert.deepEqual(targets, dashboardQueries());
    assert.equal(new Set(dashboard.panels.map(({ id }: { id: number }) => id)).size, dashboard.panels.length);
  });
});

describe("alerts", () => {
  for (const { alert, expr, labels, annotations, ...rest } of alerts) {
    test(`${alert} is about metrics that there are, says how bad it is and what to do, and is tested to fire and not to`, () => {
      checkQuery(expr);
      assert.match(labels.severity ?? "", /^(critical|warning|info)$/);
      for (const name of ["summary", "description"]) assert.ok((annotations[name] ?? "").length > 10, name);
      const used = [...JSON.stringify(annotations).matchAll(/\$labels\.([a-z_]+)/g)].map(([, label]) => label);
      const kept = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
      if (kept.length > 0) for (const label of used) assert.ok(label !== undefined && kept.includes(label), label);
      assert.ok(page.includes(`| \`${alert}\` | ${labels.severity} |`), "is in docs/metrics.md");
      assert.ok(Object.keys(rest).every((key) => key === "for"));
      assert.match(
        fixture,
        new RegExp(`expr: ALERTS\\{alertname="${alert}", alertstate="firing"\\}\\n *exp_samples:\\s+\\[\\{value: 1`),
        "fires",
      );
    });
  }
});

test("every query of the dashboard is about metrics that there are, and keeps to the chosen installations", () => {
  assert.ok(dashboardQueries().length > 15);
  for (const query of dashboardQueries()) {
    checkQuery(query);
    const names = query.match(/\b(?:turbo_hipster|process)_[a-z_]+/g) ?? [];
    assert.equal(query.split('{namespace=~"$namespace",job=~"$job"}').length - 1, names.length, query);
  }
});
