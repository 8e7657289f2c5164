import assert from "node:assert/strict";
import { test } from "node:test";
import { qualifyImageName } from "../../../tools/image-name.ts";

test("a short image name means what it means to docker and to the kubelet", () => {
  assert.equal(qualifyImageName("turbo-hipster:dev"), "docker.io/library/turbo-hipster:dev");
  assert.equal(qualifyImageName("someone/tool:1"), "docker.io/someone/tool:1");
  assert.equal(qualifyImageName("localhost/tool:1"), "localhost/tool:1");
  assert.equal(qualifyImageName("registry:5000/tool:1"), "registry:5000/tool:1");
  assert.equal(qualifyImageName("quay.io/some/tool:v1.2_x"), "quay.io/some/tool:v1.2_x");
});

test("what is no image name with a tag is refused", () => {
  for (const name of ["", "tool", "Tool:1", "tool:", "tool:a b", "--all:1"])
    assert.throws(() => qualifyImageName(name), /is no image name with a tag/, name);
});
