import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { V1Container, V1JobSpec, V1PodSpec } from "@kubernetes/client-node";
import { nearestName, unknownFieldMessage } from "../../../../src/core/test-task/field-hints.ts";
import { knownFields } from "../../../../src/core/test-task/problem.ts";
import { parseTestTask, testTaskSchema } from "../../../../src/core/test-task/test-task.ts";
import { taskObject } from "../../../support/objects/test-tasks.ts";

/** What is said of the one problem. */
function messageOf(spec: object, root: object = {}): string {
  const parsed = parseTestTask({ ...taskObject(spec), ...root });
  assert.ok(!parsed.ok && parsed.problems.length === 1, JSON.stringify(parsed));
  return parsed.problems[0]?.message ?? "";
}

describe("a field that is not known in spec", () => {
  const ours = knownFields(testTaskSchema, ["spec"]);
  const places: [string, typeof V1PodSpec | typeof V1Container | typeof V1JobSpec, RegExp][] = [
    ["a PodSpec", V1PodSpec, /belongs into template\.spec|a container of template|is set by turbo-hipster|runs once/],
    [
      "a Container",
      V1Container,
      /a container of template|belongs into (template\.spec|metadata|a service)|is set by turbo-hipster|runs once/,
    ],
    ["a JobSpec", V1JobSpec, /is set by turbo-hipster/],
  ];
  for (const [what, type, place] of places) {
    for (const { baseName } of type.getAttributeTypeMap()) {
      if (ours.includes(baseName)) continue;
      test(`${baseName} of ${what} is told where it belongs`, () => {
        const message = messageOf({ [baseName]: {} });
        assert.match(message, place);
        assert.doesNotMatch(message, /did you mean|known here/);
      });
    }
  }

  const hints: [string, RegExp][] = [
    ["imagePullSecret", /did you mean imagePullSecrets\? It belongs into template\.spec$/],
    ["imagePullPolicies", /^(?!.*image\?)/],
    ["timeout", /did you mean timeouts\?$/],
    ["resource", /did you mean resources\?$/],
    ["imageName", /did you mean image\?$/],
    ["shell", /use script with a first line such as #!\/bin\/bash/],
    ["entrypoint", /use script, or command of a container/],
    ["qqqqqqqq", /known here: jobs, nodeLabels/],
  ];
  for (const [field, hint] of hints)
    test(`${field} is answered with a hint that leads somewhere`, () => assert.match(messageOf({ [field]: 1 }), hint));
});

test("a field of spec beside it is told to belong into it", () => {
  assert.equal(messageOf({}, { script: "true" }), "unknown field; belongs into spec");
});

test("what a service lacks is told to be a sidecar's, or ready's", () => {
  const ofService = (field: string) => messageOf({ services: [{ name: "db", image: "i", [field]: {} }] });
  assert.match(ofService("volumeMounts"), /sidecar \(restartPolicy: Always\) in template\.spec\.initContainers/);
  assert.equal(ofService("readinessProbe"), "unknown field; use ready");
});

test("elsewhere an unknown field is answered with those that are known, and none of a Kubernetes object", () => {
  for (const segments of [["other"], ["spec", "services"], ["spec", "nodeLabels", 0], ["spec", "services", 0, "ready"]]) {
    assert.equal(unknownFieldMessage("command", ["image"], segments, []), "unknown field; known here: image");
  }
  assert.equal(unknownFieldMessage("command", [], ["other"], []), "unknown field; remove it");
});

describe("the name that was probably meant", () => {
  const rows: [word: string, names: string[], nearest: string | undefined][] = [
    ["imagee", ["imag", "image", "imagexx"], "image"],
    ["ximages", ["image"], "image"],
    ["image", ["imxgx"], "imxgx"],
    ["IMAGE", ["Image"], "Image"],
    ["imagepul", ["imag"], "imag"],
    ["imag", ["imagepul"], "imagepul"],
    ["imag", ["imagepull"], undefined],
    ["env", ["envfro"], undefined],
    ["jobs", ["logs"], undefined],
    ["jobs", ["jxbxs"], undefined],
    ["pull", ["imagepull"], undefined],
    ["x", ["imagepull"], undefined],
    ["a".repeat(50), [`${"a".repeat(50)}b`], `${"a".repeat(50)}b`],
    ["a".repeat(51), [`${"a".repeat(51)}b`], undefined],
  ];
  for (const [word, names, nearest] of rows) {
    test(`by ${word} is ${nearest ?? "none"} of ${names.join(", ")}`, () => assert.equal(nearestName(word, names), nearest));
  }
});
