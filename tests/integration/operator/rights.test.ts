import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LEASES } from "../../../src/kube/client/resource.ts";
import { FilesStore } from "../../../src/logs/stores/files/files-store.ts";
import { systemClock } from "../../../src/runtime/clock.ts";
import { startGearmand } from "../../support/gearman/gearmand.ts";
import { silentLogger } from "../../support/silent-logger.ts";
import { LEAST_VALUES, renderChart } from "../../unit/chart/render-chart.ts";
import { answerOf, NAMESPACE, numberOf, startStage } from "./stage.ts";

interface Rule {
  resources: string[];
  verbs: string[];
}

/** `verb resource` of all rules of the chart's Role. */
async function grantedByChart(): Promise<Set<string>> {
  const role = (await renderChart(LEAST_VALUES)).find(({ kind }) => kind === "Role");
  const rules = (role?.rules ?? []) as Rule[];
  return new Set(rules.flatMap(({ resources, verbs }) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`))));
}

test("the operator at work uses every right that the chart gives it, and no other", async () => {
  const directory = await mkdtemp(join(tmpdir(), "th-rights-"));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

async function work(directory: string): Promise<void> {
  await using stage = await startStage({
    start: () => startGearmand(),
    makeStore: () => new FilesStore({ directory, publicUrl: undefined, clock: systemClock, logger: silentLogger }),
    config: { logs: { store: "files", directory } },
    tasks: {
      passes: { pipelines: ["gate"], envFrom: [{ secretRef: { name: "any" } }] },
      lasts: {},
      waits: { timeouts: { schedule: "5m" } },
    },
    script: (job) => {
      const task = job.metadata.labels?.["turbo-hipster.io/task"];
      if (task === "lasts") return { finished: new Promise(() => {}) };
      return task === "waits" ? { scheduled: new Promise(() => {}) } : {};
    },
  });
  // A Job that was made unseen is read and adopted.
  stage.kube.misbehave({ verb: "create", resource: "jobs" }, { kind: "drop", afterwards: true });
  assert.equal((await answerOf(await stage.submit("passes", { parameters: { ZUUL_PIPELINE: "gate" } }))).result, "SUCCESS");
  // A running test is stopped through its pod.
  const stopped = await stage.submit("lasts");
  await stage.running(await numberOf(stopped));
  await stage.stop(await numberOf(stopped));
  assert.equal((await answerOf(stopped)).result, "ABORTED");
  // One that waits for a node is ended with its Job, after its Events have been looked at.
  const waiting = await stage.submit("waits");
  await stage.reached("unscheduled", 1, await numberOf(waiting));
  await stage.skip(61_000);
  await stage.skip(5 * 60_000);
  assert.equal((await answerOf(waiting)).result, null);
  // The same thing said again of a TestTask is an Event counted up.
  for (let count = 0; count < 2; count += 1) {
    const refused = await answerOf(await stage.submit("passes", { parameters: { ZUUL_PIPELINE: "check" } }));
    assert.match(refused.result ?? "", /^CONFIG_ERROR - /);
    await stage.until(() => stage.kube.calls.some(({ verb, resource }) => verb === "create" && resource === "events"), "the Event");
  }
  await stage.skip(61_000);
  // Another replica comes and goes: its own Lease is deleted, and looked for.
  await stage.startOperator();
  await stage.until(() => stage.kube.list(LEASES, NAMESPACE).length === 3, "its own Lease");
  await stage.stopOperator();
  const granted = await grantedByChart();
  // Of a pod whose sidecars take no notice of their end; none of the played ones does that.
  granted.delete("delete pods");
  const used = () => new Set(stage.kube.calls.map(({ verb, resource }) => `${verb} ${resource}`));
  await stage.until(() => granted.isSubsetOf(used()), `the use of ${[...granted.difference(used())].join(", ")}`);
  await stage.stopOperator();
  assert.deepEqual(used(), granted);
}
