import assert from "node:assert/strict";
import { test } from "node:test";
import { namedSecrets } from "../../../../src/core/logs/named-secrets.ts";

test("the Secrets of a pod are those of variables, of whole sources, and of volumes, each with the keys that the pod gets", () => {
  const variable = (name: string, key: string) => ({ name: key, valueFrom: { secretKeyRef: { name, key } } });
  const found = namedSecrets([
    {
      initContainers: [{ name: "checkout", env: [variable("git", "token")] }],
      containers: [
        {
          name: "test",
          env: [variable("db", "user"), variable("db", "password"), variable("whole", "a"), { name: "plain", value: "x" }],
          envFrom: [{ secretRef: { name: "whole" } }, { configMapRef: { name: "settings" } }],
        },
      ],
      volumes: [
        { name: "files", secret: { secretName: "files" } },
        { name: "one", secret: { secretName: "one", items: [{ key: "a", path: "b" }] } },
        {
          name: "many",
          projected: {
            sources: [{ secret: { name: "many", items: [{ key: "c", path: "d" }] } }, { serviceAccountToken: { path: "token" } }],
          },
        },
        { name: "scratch", emptyDir: {} },
      ],
    },
  ]);
  assert.deepEqual(Object.fromEntries(found.map(({ name, keys }) => [name, keys])), {
    git: new Set(["token"]),
    db: new Set(["user", "password"]),
    whole: undefined,
    files: undefined,
    one: new Set(["a"]),
    many: new Set(["c"]),
  });
});

test("a Secret that is named whole and then by a key is named whole, in either order", () => {
  const byKey = [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "a" } } }];
  const whole = [{ secretRef: { name: "s" } }];
  for (const containers of [
    [
      { name: "one", envFrom: whole },
      { name: "two", env: byKey },
    ],
    [
      { name: "one", env: byKey },
      { name: "two", envFrom: whole },
    ],
  ]) {
    assert.deepEqual(namedSecrets([{ containers }]), [{ name: "s", keys: undefined, isOptional: false }]);
  }
});

test("a Secret is optional where all that name it say so", () => {
  const containers = [
    {
      name: "test",
      env: [{ name: "A", valueFrom: { secretKeyRef: { name: "variable", key: "a", optional: true } } }],
      envFrom: [{ secretRef: { name: "source", optional: true } }, { secretRef: { name: "both", optional: true } }],
    },
  ];
  const volumes = [
    { name: "files", secret: { secretName: "files", optional: true } },
    { name: "needed", secret: { secretName: "both" } },
  ];
  const found = namedSecrets([{ containers, volumes }]);
  assert.deepEqual(
    found.map(({ name, isOptional }) => [name, isOptional]),
    [
      ["variable", true],
      ["source", true],
      ["both", false],
      ["files", true],
    ],
  );
});
