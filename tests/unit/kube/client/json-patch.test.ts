import assert from "node:assert/strict";
import { test } from "node:test";
import { renderPointer } from "../../../../src/kube/client/json-patch.ts";

test("a JSON pointer escapes what separates, the escape itself first", () => {
  assert.equal(renderPointer("metadata", "annotations", "a.io/b"), "/metadata/annotations/a.io~1b");
  assert.equal(renderPointer("a~b", "~1"), "/a~0b/~01");
  assert.equal(renderPointer("", "x"), "//x");
  assert.equal(renderPointer(), "");
});
