import assert from "node:assert/strict";
import { it } from "node:test";
import { loadKubeCredentials } from "../../../../src/kube/client/kube-credentials.ts";
import { type KubeCallReport, makeKubeTransport } from "../../../../src/kube/client/kube-transport.ts";
import { systemClock } from "../../../../src/runtime/clock.ts";
import { startFakeKube } from "../../../support/fake-kube/fake-kube.ts";

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
