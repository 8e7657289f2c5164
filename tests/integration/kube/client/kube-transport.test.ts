import assert from "node:assert/strict";
import { it } from "node:test";
import { loadKubeCredentials } from "../../../../src/kube/client/kube-credentials.ts";
import { type KubeCallReport, makeKubeTransport } from "../../../../src/kube/client/kube-transport.ts";
import { JOBS } from "../../../../src/kube/client/resource.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { startFakeKube } from "../../../support/fake-kube/fake-kube.ts";
import { makeSkippingClock } from "../../../support/skipping-clock.ts";

it("knows what time it is by the API server's clock once that has answered, and goes on with it, wherever this machine's is set", async () => {
  await using fake = await startFakeKube();
  const credentials = await loadKubeCredentials({ kubeconfig: fake.kubeconfig });
  const clock = makeSkippingClock();
  clock.jump(-7_200_000);
  const transport = makeKubeTransport({ credentials, clock, deadlineMs: 30_000, onCall() {} });
  const offMs = () => transport.now().getTime() - Date.now();
  assert.ok(Math.abs(offMs() + 7_200_000) < 5000, `${offMs()} ms`);
  await transport.request({ verb: "get", path: "/version" });
  for (const jumpMs of [7_200_000, 7_200_000]) {
    assert.ok(Math.abs(offMs()) < 5000, `${offMs()} ms`);
    clock.jump(jumpMs);
  }
  clock.skip(60_000);
  assert.ok(Math.abs(offMs() - 60_000) < 5000, `${offMs()} ms`);
  const { stop } = fake.misbehave({ verb: "list", resource: "jobs" }, { kind: "status", code: 503 }, Number.POSITIVE_INFINITY);
  await assert.rejects(transport.request({ verb: "list", resource: JOBS, namespace: "ci" }));
  stop();
  assert.ok(Math.abs(offMs() - 60_000) < 5000, "what is no answer has no say");
  await transport.close();
  await fake.disconnected();
});

it("a path that is no resource is reported without one", async () => {
  await using fake = await startFakeKube();
  const reports: KubeCallReport[] = [];
  const credentials = await loadKubeCredentials({ kubeconfig: fake.kubeconfig });
  const transport = makeKubeTransport({ credentials, clock: systemClock, deadlineMs: 30_000, onCall: (report) => reports.push(report) });
  const answer = (await transport.request({ verb: "get", path: "/version" })) as { gitVersion?: unknown };
  assert.equal(answer.gitVersion, "v1.36.3");
  assert.deepEqual(
    reports.map(({ verb, resource, code }) => `${verb} ${resource} ${code}`),
    ["get  200"],
  );
  assert.ok(reports.every(({ ms }) => ms >= 0 && ms < 10_000));
  await transport.close();
  await fake.disconnected();
});
