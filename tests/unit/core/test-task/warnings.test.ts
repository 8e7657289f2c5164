import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseTestTask } from "../../../../src/core/test-task/test-task.ts";
import { testTaskWarnings } from "../../../../src/core/test-task/warnings.ts";

const inPod = (...containers: object[]) => ({ template: { spec: { containers } } });
const NO_COMMAND = "has neither script nor command: the image's own command is the test";
const FIRST = "is the test because it is the first of several and none is named test; name it test";
const OVER = [
  { name: "a", mountPath: "/a" },
  { name: "b", mountPath: "/workspace" },
];
const CREDENTIALS = [{ url: "https://git.example.org/", secretName: "s" }];
const BASH_ONLY = "[[ -d a ]]\n";

/** `path: message` of each warning, after its line of the script. */
const ROWS: [what: string, spec: object, warnings: (string | RegExp)[]][] = [
  ["a script", { image: "i", script: "make\n" }, []],
  ["an image alone", { image: "i" }, [`spec.image: ${NO_COMMAND}`]],
  ["a container with a command", inPod({ name: "test", image: "i", command: ["make"] }), []],
  ["a container with arguments for its image", inPod({ name: "test", image: "i", args: ["check"] }), []],
  [
    "the judged container without either",
    inPod({ name: "web", image: "i", command: ["w"] }, { name: "test", image: "i" }),
    [`spec.template.spec.containers[1]: ${NO_COMMAND}`],
  ],
  [
    "several containers of which none is named test",
    { script: "make\n", ...inPod({ name: "unit", image: "i" }, { name: "web", image: "i" }) },
    [`spec.template.spec.containers[0]: ${FIRST}`],
  ],
  ["one container with another name", { script: "make\n", ...inPod({ name: "unit", image: "i" }) }, []],
  ["the job that Zuul answers", { image: "i", script: "make\n", jobs: ["noop"] }, [/^spec\.jobs\[0\]: Zuul answers noop by itself/]],
  ["that among others", { image: "i", script: "make\n", jobs: ["a", "noop"] }, [/^spec\.jobs\[1\]: Zuul answers noop by itself/]],
  ["a Secret for builds of named pipelines", { image: "i", script: "m", pipelines: ["post"], envFrom: [{ secretRef: { name: "s" } }] }, []],
  ["a Secret of the checkout, which the test does not see", { image: "i", script: "m", checkout: { credentials: CREDENTIALS } }, []],
  [
    "a Secret in the test's environment",
    { image: "i", script: "m", env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] },
    [
      /^spec\.pipelines: is not set, so builds of every pipeline get Secret s: in a check pipeline anybody's change does; name those that may$/,
    ],
  ],
  [
    "Secrets of a service and of a volume",
    {
      script: "m",
      services: [{ name: "db", image: "d", env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] }],
      template: { spec: { containers: [{ name: "test", image: "i" }], volumes: [{ name: "v", secret: { secretName: "w" } }] } },
    },
    [/^spec\.pipelines: .* get Secrets s, w: /],
  ],
  [
    "a volume over what is checked out",
    {
      checkout: {},
      script: "make\n",
      ...inPod({ name: "web", image: "i", volumeMounts: OVER }, { name: "test", image: "i", volumeMounts: OVER }),
    },
    [
      "spec.template.spec.containers[1].volumeMounts[1]: hides what is checked out there from the test; mount it elsewhere, or say another checkout.path than /workspace",
    ],
  ],
  ["the same without a checkout", { script: "make\n", ...inPod({ name: "test", image: "i", volumeMounts: OVER }) }, []],
  [
    "the same with a checkout elsewhere",
    { checkout: { path: "/src" }, script: "make\n", ...inPod({ name: "test", image: "i", volumeMounts: OVER }) },
    [],
  ],
  [
    "the workspace itself",
    {
      checkout: {},
      script: "make\n",
      ...inPod({ name: "test", image: "i", volumeMounts: [{ name: "th-workspace", mountPath: "/workspace" }] }),
    },
    [],
  ],
  ["a line of a script", { image: "i", script: `make\n${BASH_ONLY}` }, [/^2 spec\.script: .*\[\[/]],
  ["a script in an image whose sh can do that", { image: "fedora:42", script: BASH_ONLY }, []],
  ["a script in such a container", { script: BASH_ONLY, ...inPod({ name: "test", image: "fedora:42" }) }, []],
  [
    "a script in the task's image, whatever the container's is",
    { image: "python:3.12", script: BASH_ONLY, ...inPod({ name: "test", image: "fedora:42" }) },
    [/^1 spec\.script: /],
  ],
];

describe("warned is of", () => {
  for (const [what, spec, expected] of ROWS) {
    test(`${what}: ${expected.length === 0 ? "nothing" : "it"}`, () => {
      const parsed = parseTestTask({ apiVersion: "turbo-hipster.io/v1alpha1", kind: "TestTask", metadata: { name: "a" }, spec });
      assert.ok(parsed.ok, JSON.stringify(parsed));
      const warnings = testTaskWarnings(parsed.task).map(
        ({ path, message, scriptLine }) => `${scriptLine === undefined ? "" : `${scriptLine} `}${path}: ${message}`,
      );
      assert.equal(warnings.length, expected.length, warnings.join("\n"));
      for (const [index, said] of expected.entries()) {
        if (typeof said === "string") assert.equal(warnings[index], said);
        else assert.match(warnings[index] ?? "", said);
      }
    });
  }
});
