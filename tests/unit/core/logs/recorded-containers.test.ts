import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Pod } from "../../../../src/core/kubernetes/objects.ts";
import { haveWorkersEnded, recordedContainers, recordedPod } from "../../../../src/core/logs/recorded-containers.ts";

const ROLES = { test: "test", others: [], services: ["db"], inits: [], checkout: true, collector: true, marked: false };
const RUNNING = { running: {} };
const ENDED = { terminated: { exitCode: 0 } };

function pod(states: Record<string, object>, phase = "Running"): Pod {
  const statuses = (names: string[]) => names.flatMap((name) => (states[name] ? [{ name, state: states[name] }] : []));
  return {
    metadata: { name: "p" },
    spec: {
      containers: [{ name: "mesh" }, { name: "test" }],
      initContainers: [{ name: "collector", restartPolicy: "Always" }, { name: "db", restartPolicy: "Always" }, { name: "checkout" }],
    },
    status: { phase, containerStatuses: statuses(["mesh", "test"]), initContainerStatuses: statuses(["collector", "db", "checkout"]) },
  };
}

const told = (of: Pod) => Object.fromEntries(recordedContainers(of, ROLES).map((each) => [each.name, [each.hasStarted, each.hasEnded]]));

describe("the containers whose logs are kept", () => {
  test("are those that the build was made with, the test first and the collector last", () => {
    assert.deepEqual(
      recordedContainers(pod({}), ROLES).map(({ name }) => name),
      ["test", "checkout", "db", "collector"],
    );
  });

  test("have a log once they have run, and its end when they do not run again", () => {
    const { test: test_, checkout, db, collector } = told(pod({ checkout: ENDED, db: ENDED, test: RUNNING, collector: { waiting: {} } }));
    assert.deepEqual(
      { test_, checkout, db, collector },
      { test_: [true, false], checkout: [true, true], db: [true, false], collector: [false, false] },
    );
    assert.deepEqual(told(pod({ db: ENDED, test: ENDED }, "Succeeded")).db, [true, true]);
  });

  test("are waited for but for sidecars", () => {
    assert.equal(haveWorkersEnded(pod({ checkout: ENDED, db: RUNNING, test: RUNNING }), ROLES), false);
    assert.equal(haveWorkersEnded(pod({ checkout: ENDED, db: RUNNING, collector: RUNNING, test: ENDED }), ROLES), true);
  });

  test("are those of the newest pod of this very Job that a kubelet has taken", () => {
    const job = { metadata: { name: "j", uid: "1" } };
    const make = (name: string, uid: string, at: string, startTime?: string): Pod => ({
      metadata: { name, creationTimestamp: at, labels: { "batch.kubernetes.io/controller-uid": uid } },
      status: startTime === undefined ? {} : { startTime },
    });
    const pods = [make("old", "1", "2026-01-01", "x"), make("other", "2", "2026-01-03", "x"), make("waits", "1", "2026-01-04")];
    assert.equal(recordedPod(job, [...pods, make("new", "1", "2026-01-02", "x")])?.metadata.name, "new");
    assert.equal(recordedPod(job, [pods[1] as Pod]), undefined);
  });
});
