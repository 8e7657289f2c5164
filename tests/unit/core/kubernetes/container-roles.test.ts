import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { initRole, isRendered, judgedContainer, rolesOfTemplate } from "../../../../src/core/kubernetes/container-roles.ts";

const containers = (...names: string[]) => names.map((name) => ({ name }));

describe("the container whose exit code is the build's", () => {
  const rows: [string[], string | undefined][] = [
    [["web", "test"], "test"],
    [["web", "proxy"], "web"],
    [["unit"], "unit"],
    [[], undefined],
  ];
  for (const [names, expected] of rows) {
    test(`of ${JSON.stringify(names)} is ${expected}`, () => {
      assert.equal(judgedContainer({ containers: containers(...names) })?.name, expected);
    });
  }
});

describe("a template's containers", () => {
  test("are the test, others, services, init containers and the checkout", () => {
    const initContainers = [
      ...containers("checkout", "setup"),
      { name: "db", restartPolicy: "Always" },
      { name: "once", restartPolicy: "Never" },
    ];
    assert.deepEqual(rolesOfTemplate({ containers: containers("web", "test", "log"), initContainers }), {
      test: "test",
      others: ["web", "log"],
      services: ["db"],
      inits: ["setup", "once"],
      checkout: true,
      collector: false,
      marked: false,
    });
  });

  test("are a test alone where nothing is said", () => {
    const alone = { test: "test", others: [], services: [], inits: [], checkout: false, collector: false, marked: false };
    assert.deepEqual(rolesOfTemplate(undefined), alone);
    assert.deepEqual(rolesOfTemplate({ containers: [] }), alone);
    assert.deepEqual(rolesOfTemplate({ containers: containers("unit"), initContainers: containers("setup") }), {
      ...alone,
      test: "unit",
      inits: ["setup"],
    });
  });
});

describe("what a container of a pod is there for", () => {
  const roles = { test: "unit", others: ["web"], services: ["db"], inits: ["setup"], checkout: true, collector: false, marked: false };
  const rows: [name: string, role: ReturnType<typeof initRole>, isOurs: boolean][] = [
    ["checkout", "checkout", true],
    ["db", "service", true],
    ["setup", "init", true],
    ["istio-init", "injected", false],
    ["unit", "injected", true],
    ["web", "injected", true],
    ["test", "injected", false],
  ];
  for (const [name, role, isOurs] of rows) {
    test(`${name}: ${role} among init containers, ${isOurs ? "rendered" : "added by the cluster"}`, () => {
      assert.equal(initRole(roles, name), role);
      assert.equal(isRendered(roles, name), isOurs);
    });
  }

  test("the collector is ours where the build has one", () => {
    assert.equal(initRole({ ...roles, collector: true }, "collector"), "collector");
    assert.equal(isRendered({ ...roles, collector: true }, "collector"), true);
    assert.deepEqual([initRole(roles, "collector"), isRendered(roles, "collector")], ["injected", false]);
  });

  test("an init container called checkout is none of ours where the build has no checkout", () => {
    assert.equal(initRole({ ...roles, checkout: false }, "checkout"), "injected");
    assert.equal(initRole({ ...roles, checkout: false, inits: ["checkout"] }, "checkout"), "init");
    assert.equal(isRendered({ ...roles, checkout: false }, "checkout"), false);
  });
});
