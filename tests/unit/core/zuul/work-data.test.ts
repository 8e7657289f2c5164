import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderFinalWorkData, renderWorkData } from "../../../../src/core/zuul/work-data.ts";

const WORKER = {
  manager: "turbo-hipster-a",
  name: "turbo-hipster/a/host",
  hostname: "host",
  fqdn: "host.example.org",
  program: "turbo-hipster",
  version: "1.2.3",
  ips: ["192.0.2.1"],
};

describe("work data", () => {
  const started = renderWorkData({ jobName: "gate-unit", number: "unit-1", url: "http://a/builds/unit-1" }, WORKER);

  test("holds at first all that Zuul shows of a running build, and no result", () => {
    assert.deepEqual(started, {
      name: "gate-unit",
      number: "unit-1",
      manager: "turbo-hipster-a",
      url: "http://a/builds/unit-1",
      worker_name: "turbo-hipster/a/host",
      worker_hostname: "host",
      worker_fqdn: "host.example.org",
      worker_program: "turbo-hipster",
      worker_version: "1.2.3",
      worker_ips: ["192.0.2.1"],
      worker_extra: {},
    });
  });

  test("holds at last all of that, the result and where it ran", () => {
    assert.deepEqual(renderFinalWorkData(started, { result: "FAILURE", node: "node-1", nodeLabels: ["bionic"] }), {
      ...started,
      result: "FAILURE",
      node_name: "node-1",
      node_labels: ["bionic"],
    });
  });

  test("has no result, not even an empty one, when Zuul is to run the build again", () => {
    const data = renderFinalWorkData(started, { result: null, node: undefined, nodeLabels: [] });
    assert.deepEqual(data, { ...started, node_labels: [] });
  });
});
