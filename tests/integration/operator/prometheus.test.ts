import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { ALERTS, startPrometheus } from "../../support/prometheus/prometheus.ts";
import { prometheusProgram } from "../../support/prometheus/prometheus-program.ts";
import { numberOf, startStage } from "./stage.ts";

const RULE_TESTS = join(import.meta.dirname, "../../fixtures/alerts/alerts-test.yaml");

describe("the chart's alerts, as promtool sees them,", () => {
  test("are rules, without anything that it warns of", async () => {
    const output = await runCommand(await prometheusProgram("promtool"), ["check", "rules", "--lint=all", "--lint-fatal", ALERTS]);
    assert.match(output, /SUCCESS: \d+ rules found/);
  });

  test("fire when they should, and not otherwise", async () => {
    await runCommand(await prometheusProgram("promtool"), ["test", "rules", RULE_TESTS]);
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

  await using prometheus = await startPrometheus([target]);
  await prometheus.untilDashboardHasData();
  const { groups } = await prometheus.get("rules");
  const unhealthy = groups.flatMap(({ rules }: { rules: { health: string; name: string }[] }) =>
    rules.filter(({ health }) => health === "err"),
  );
  assert.deepEqual(unhealthy, []);
});
