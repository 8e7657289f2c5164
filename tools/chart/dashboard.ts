/** The Grafana dashboard that the chart can install. */

interface Panel {
  title: string;
  unit: string;
  /** The legend of each query, and the query. `$sel` stands for the label matchers of what is looked at. */
  queries: readonly (readonly [legend: string, expr: string])[];
}

const PANELS: readonly Panel[] = [
  {
    title: "Builds under way, and what waits for room",
    unit: "short",
    queries: [
      ["{{task}}", "sum by (task) (turbo_hipster_active_builds{$sel})"],
      ["waiting for room", "sum(turbo_hipster_pending_builds{$sel})"],
    ],
  },
  {
    title: "Builds judged, by class",
    unit: "cpm",
    queries: [["{{class}}", "60 * sum by (class) (rate(turbo_hipster_builds_total{$sel}[$__rate_interval]))"]],
  },
  {
    title: "Builds judged, by task",
    unit: "cpm",
    queries: [["{{task}}", "60 * sum by (task) (rate(turbo_hipster_builds_total{$sel}[$__rate_interval]))"]],
  },
  {
    title: "Time in each phase, nine of ten builds",
    unit: "s",
    queries: [
      ["{{phase}}", "histogram_quantile(0.9, sum by (phase, le) (rate(turbo_hipster_build_phase_seconds_bucket{$sel}[$__rate_interval])))"],
    ],
  },
  {
    title: "Answers, and those that no Gearman server has read yet",
    unit: "short",
    queries: [
      ["{{outcome}}", "sum by (outcome) (increase(turbo_hipster_answers_total{$sel}[$__rate_interval]))"],
      ["not read yet", "sum(turbo_hipster_undelivered_builds{$sel})"],
    ],
  },
  {
    title: "Places taken, of those there are",
    unit: "percentunit",
    queries: [
      ["{{pool}}", "max by (pool) (turbo_hipster_pool_used_slots{$sel}) / max by (pool) (turbo_hipster_pool_capacity_slots{$sel})"],
    ],
  },
  {
    title: "Gearman servers: replicas that have all jobs registered",
    unit: "short",
    queries: [
      ["{{server}}", "sum by (server) (turbo_hipster_gearman_registered_links{$sel})"],
      ["{{server}} connected", "sum by (server) (turbo_hipster_gearman_connected_links{$sel})"],
    ],
  },
  {
    title: "Replicas that take builds (one)",
    unit: "short",
    queries: [["{{pod}}", "turbo_hipster_held_leases{$sel}"]],
  },
  {
    title: "TestTasks, by their condition Ready",
    unit: "short",
    queries: [["{{ready}}", "max by (ready) (turbo_hipster_test_tasks{$sel})"]],
  },
  {
    title: "For how long a build waits for the log store",
    unit: "s",
    queries: [["{{pod}}", "turbo_hipster_unstored_seconds{$sel}"]],
  },
  {
    title: "Since the API server was last heard",
    unit: "s",
    queries: [["{{resource}}", "max by (resource) (turbo_hipster_watch_age_seconds{$sel})"]],
  },
  {
    title: "Calls to the API server",
    unit: "reqps",
    queries: [
      ["{{verb}} {{code}}", "sum by (verb, code) (rate(turbo_hipster_api_calls_total{$sel}[$__rate_interval]))"],
      ["slowest tenth, s", "histogram_quantile(0.9, sum by (le) (rate(turbo_hipster_api_call_seconds_bucket{$sel}[$__rate_interval])))"],
    ],
  },
  {
    title: "The process: event loop, CPU",
    unit: "percentunit",
    queries: [
      ["{{pod}} event loop", "rate(turbo_hipster_event_loop_active_seconds_total{$sel}[$__rate_interval])"],
      ["{{pod}} CPU", "rate(process_cpu_seconds_total{$sel}[$__rate_interval])"],
    ],
  },
  {
    title: "The process: memory",
    unit: "bytes",
    queries: [
      ["{{pod}}", "process_resident_memory_bytes{$sel}"],
      ["{{pod}} JavaScript", "process_heap_bytes{$sel}"],
    ],
  },
];

const SELECTOR = 'namespace=~"$namespace",job=~"$job"';
const WIDTH = 12;
const HEIGHT = 8;

/** Every query of the dashboard, with Grafana's variables in it. */
export function dashboardQueries(): string[] {
  return PANELS.flatMap(({ queries }) => queries.map(([, expr]) => expr.replaceAll("$sel", SELECTOR)));
}

/** Grafana's JSON model; https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/ */
export function renderDashboard(): object {
  return {
    title: "Turbo Hipster",
    uid: "turbo-hipster",
    tags: ["zuul", "ci"],
    timezone: "browser",
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus", label: "Data source" },
        renderVariable("namespace", "label_values(turbo_hipster_version_info, namespace)"),
        renderVariable("job", 'label_values(turbo_hipster_version_info{namespace=~"$namespace"}, job)'),
      ],
    },
    panels: PANELS.map(renderPanel),
  };
}

function renderVariable(name: string, query: string): object {
  const all = { includeAll: true, allValue: ".*", multi: true, current: { text: "All", value: "$__all" } };
  return { name, type: "query", datasource: DATASOURCE, query: { query, refId: name }, refresh: 2, sort: 1, ...all };
}

const DATASOURCE = { type: "prometheus", uid: "$datasource" };

function renderPanel({ title, unit, queries }: Panel, index: number): object {
  return {
    id: index + 1,
    type: "timeseries",
    title,
    datasource: DATASOURCE,
    gridPos: { x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
    targets: queries.map(([legendFormat, expr], query) => ({
      refId: String.fromCharCode(65 + query),
      datasource: DATASOURCE,
      expr: expr.replaceAll("$sel", SELECTOR),
      legendFormat,
    })),
  };
}
