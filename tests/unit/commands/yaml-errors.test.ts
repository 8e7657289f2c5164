import assert from "node:assert/strict";
import { test } from "node:test";
import { YAMLParseError } from "yaml";
import { withoutConsequences } from "../../../src/commands/yaml-errors.ts";

test("a file of nothing but tabs has an error for each of them", () => {
  const errors = Array.from({ length: 200_000 }, (_, index) => new YAMLParseError([index, index + 1], "TAB_AS_INDENT", "tab"));
  assert.equal(withoutConsequences(errors).length, errors.length);
});
