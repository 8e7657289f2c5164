import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderReadiness } from "../../../../src/web/pages/readiness.ts";

const FACTS = {
  isReady: true,
  isHolder: true,
  servers: [
    { server: "zuul:4730", isRegistered: true },
    { server: "other:4730", isRegistered: false },
  ],
  unserved: ["namespace ci is not served yet - jobs: no answer yet"],
};

describe("the readiness page", () => {
  test("names the role, every Gearman server and the namespaces that are not served", () => {
    assert.deepEqual(renderReadiness(FACTS), {
      status: 200,
      body: "ok, takes builds\nzuul:4730 registered\nother:4730 not connected\nnamespace ci is not served yet - jobs: no answer yet\n",
    });
    const standby = renderReadiness({ ...FACTS, isHolder: false, unserved: [] });
    assert.deepEqual(standby, { status: 200, body: "ok, stands by\nzuul:4730 registered\nother:4730 not connected\n" });
  });

  test("is ready though no Gearman server is connected", () => {
    const { status } = renderReadiness({ ...FACTS, servers: [{ server: "zuul:4730", isRegistered: false }] });
    assert.equal(status, 200);
  });

  test("waits for the first lists, and says of which namespaces", () => {
    assert.deepEqual(renderReadiness({ ...FACTS, isReady: false }), {
      status: 503,
      body: "waits for the first list of TestTasks, Jobs and pods\nnamespace ci is not served yet - jobs: no answer yet\n",
    });
  });
});
