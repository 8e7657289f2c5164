import assert from "node:assert/strict";
import { test } from "node:test";
import { TEST_TASKS } from "../../../src/kube/resource.ts";
import { startFakeKube } from "../../support/fake-kube/fake-kube.ts";
import { startGearmand } from "../../support/gearmand.ts";
import { startOperator } from "../../support/operator-process.ts";

test("turbo-hipster operator tells its metrics on the internal port only, calls to the API server included", async () => {
  await using kube = await startFakeKube();
  kube.create(TEST_TASKS, "ci", { metadata: { name: "unit" }, spec: { image: "a" } });
  await using gearmand = await startGearmand();
  const config = { namespaces: ["ci"], gearman: { servers: [gearmand.address] } };
  await using operator = await startOperator({ kubeconfig: kube.kubeconfig, config });
  const { ports } = (await operator.logged("starts")) as { ports: { internal: number; public: number } };
  const get = (port: number) => fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: "close" } });
  const scraped = await get(ports.internal);
  assert.match(scraped.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(await scraped.text(), /^turbo_hipster_api_calls_total\{verb="list",resource="jobs",code="200"\} 1$/m);
  const refused = await get(ports.public);
  await refused.text();
  assert.equal(refused.status, 404);
});

test("turbo-hipster operator logs debug lines from SIGUSR2 to SIGUSR2, and goes on", async () => {
  await using kube = await startFakeKube();
  await using gearmand = await startGearmand();
  const config = { namespaces: ["ci"], gearman: { servers: [gearmand.address] } };
  await using operator = await startOperator({ kubeconfig: kube.kubeconfig, config });
  const changed = (logLevel: string) => operator.logged("changes what is logged", (line) => line.logLevel === logLevel);
  assert.equal(operator.lines.filter(({ level }) => level === "debug").length, 0);
  operator.child.kill("SIGUSR2");
  await changed("debug");
  kube.create(TEST_TASKS, "ci", { metadata: { name: "unit" }, spec: { image: "a" } });
  await operator.logged("opened a connection");
  operator.child.kill("SIGUSR2");
  await changed("info");
  assert.equal(await operator.stop(), 0);
});
