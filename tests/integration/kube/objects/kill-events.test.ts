import assert from "node:assert/strict";
import { test } from "node:test";
import { type ContainerRoles, rolesOfTemplate } from "../../../../src/core/kubernetes/container-roles.ts";
import { loadKubeClient } from "../../../../src/kube/client/kube-client.ts";
import { EVENTS } from "../../../../src/kube/client/resource.ts";
import { KillEvents } from "../../../../src/kube/objects/kill-events.ts";
import { startFakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { makePod } from "../../../support/objects/build-objects.ts";
import { silentLogger } from "../../../support/silent-logger.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

/** What is said of a pod whose kubelet ended this container, where the Job says so of its containers. */
async function killOf(path: string, roles: ContainerRoles): Promise<string | undefined> {
  await using kube = await startFakeKube();
  kube.create(EVENTS, "ci", {
    metadata: { name: "kill" },
    involvedObject: { kind: "Pod", name: "pod", namespace: "ci", uid: "pod-uid", fieldPath: path },
    reason: "Killing",
    message: "Stopping container",
  });
  const clock = makeSkippingClock();
  await using client = {
    inner: await loadKubeClient({ kubeconfig: kube.kubeconfig, clock }),
    [Symbol.asyncDispose]: () => client.inner.close(),
  };
  const kills = new KillEvents({ client: client.inner, namespaces: ["ci"], onKill() {}, clock, logger: silentLogger });
  await kills.start();
  await kills.synced();
  const killed = kills.of(makePod({ metadata: { uid: "pod-uid" } }), roles);
  await kills.stop();
  return killed;
}

const ROLES = { test: "unit", others: ["web"], services: ["db"], inits: ["setup"], checkout: true, collector: false, marked: false };

for (const [path, counts] of [
  ["spec.containers{unit}", true],
  ["spec.initContainers{setup}", true],
  ["spec.initContainers{checkout}", true],
  ["spec.initContainers{db}", false],
  ["spec.containers{web}", false],
  ["spec.containers{proxy}", false],
  ["spec.initContainers{mesh-init}", false],
] as const) {
  test(`the kubelet's word that it ended ${path} ${counts ? "counts" : "does not count"} for the test`, async () => {
    assert.equal(await killOf(path, ROLES), counts ? "Stopping container" : undefined);
  });
}

test("a container that is called test is not the test where the Job names another one", async () => {
  assert.equal(await killOf("spec.containers{test}", ROLES), undefined);
  assert.equal(
    await killOf("spec.containers{test}", rolesOfTemplate({ containers: [{ name: "web" }, { name: "test" }] })),
    "Stopping container",
  );
});

test("the kubelet's word counts as long as one of several Events is there that say it", async () => {
  await using kube = await startFakeKube();
  const say = (name: string, pod: string) =>
    kube.create(EVENTS, "ci", {
      metadata: { name },
      involvedObject: { kind: "Pod", name: pod, namespace: "ci", uid: `${pod}-uid`, fieldPath: "spec.containers{unit}" },
      ...{ reason: "Killing", message: name },
    });
  say("first", "pod");
  say("second", "pod");
  const clock = makeSkippingClock();
  await using client = {
    inner: await loadKubeClient({ kubeconfig: kube.kubeconfig, clock }),
    [Symbol.asyncDispose]: () => client.inner.close(),
  };
  const told = Promise.withResolvers<void>();
  const onKill = (_namespace: string, pod: string) => pod === "other" && told.resolve();
  const kills = new KillEvents({ client: client.inner, namespaces: ["ci"], onKill, clock, logger: silentLogger });
  await kills.start();
  await kills.synced();
  kube.delete(EVENTS, "ci", "second");
  // The watch tells in order.
  say("last", "other");
  await told.promise;
  const killed = kills.of(makePod({ metadata: { uid: "pod-uid" } }), ROLES);
  await kills.stop();
  assert.equal(killed, "first");
});
