import assert from "node:assert/strict";
import { test } from "node:test";
import { listed } from "../../../../src/core/report/listed.ts";

test("of many things the first five are told, and how many more there are", () => {
  assert.equal(listed([]), "");
  assert.equal(listed(["1", "2", "3", "4", "5"]), "1, 2, 3, 4, 5");
  assert.equal(listed(["1", "2", "3", "4", "5", "6", "7"], "; "), "1; 2; 3; 4; 5 and 2 more");
});
