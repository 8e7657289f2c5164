import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission, type AdmissionOptions } from "../../../../src/controllers/builds/admission.ts";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";
import type { Assignment } from "../../../../src/core/zuul/assignment.ts";
import { silentLogger } from "../../../support/silent-logger.ts";

test("a task whose Job cannot be rendered is answered with CONFIG_ERROR and the field, and its keeper hears of it", async () => {
  const parsed = parseTestTask({
    apiVersion: "turbo-hipster.io/v1alpha1",
    kind: "TestTask",
    metadata: { name: "unit", namespace: "ci" },
    spec: { template: { spec: { containers: [{ name: "test", image: "i", command: ["true"] }] } } },
  });
  assert.ok(parsed.ok);
  // What no schema lets pass: the defect of tomorrow.
  Object.assign(parsed.task.spec.template?.spec ?? {}, { volumes: { cache: {} } });
  const told: string[] = [];
  const sent: string[] = [];
  const send = (what: string) => (text?: unknown) => {
    sent.push(`${what} ${text}`);
    return Promise.resolve("delivered" as const);
  };
  const admission = new Admission({
    settings: {
      manifest: { installation: "i", image: "i", checkout: { allowedUrls: [] } },
      worker: { manager: "m", name: "w", hostname: "h", fqdn: "h", program: "p", version: "1", ips: [] },
      buildUrl: (number: string) => `http://b/${number}`,
    },
    tasks: { find: () => parsed.task, noteRefusal: (task: string, why: string) => void told.push(`${task}: ${why}`) },
    context: {
      logger: silentLogger,
      cluster: { now: () => new Date(0) },
      replicas: { name: "me" },
      policy: { resultStyle: "text" },
      counts: { observer: { noteVerdict: (task: string, verdict: string) => void told.push(`${task}: ${verdict}`) } },
    },
    index: { ofRequest: () => undefined },
    begin: () => assert.fail("begins a build"),
  } as unknown as AdmissionOptions);
  const assignment = {
    ...{ server: "s:1", handle: "H:1", functionName: "build:unit", unique: "u", payload: Buffer.from("{}"), payloadBytes: 2 },
    slot: { release: send("released") },
    ...{ sendData: send("data"), sendStatus: send("status"), complete: send("complete"), fail: send("fail") },
  } as unknown as Assignment;

  await admission.admit(assignment);
  assert.equal(sent.at(-1), "released undefined");
  const complete = sent.find((packet) => packet.startsWith("complete ")) ?? assert.fail(`no end: ${sent}`);
  assert.match(
    JSON.parse(complete.slice("complete ".length)).result,
    /^CONFIG_ERROR - TestTask unit makes no Job, look at spec\.template\.spec\.volumes - /,
  );
  assert.ok(!sent.some((packet) => packet.startsWith("fail")));
  assert.match(told.join("\n"), /^ci\/unit: configuration\nci\/unit: refuses a build of unit: .* look at spec\.template\.spec\.volumes - /);
});
