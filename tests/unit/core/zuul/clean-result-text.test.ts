import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { cleanResultText, failureText } from "../../../../src/core/zuul/clean-result-text.ts";

describe("cleanResultText", () => {
  const rows: [string, string][] = [
    ["3 of 12 tests failed", "3 of 12 tests failed"],
    ["WARNING: Migration 205->206 took too long", "WARNING - Migration 205->206 took too long"],
    ["tests/test_x.py:12: boom", "tests/test_x.py-12 - boom"],
    ["\n\n  first line \nsecond", "first line"],
    ["a|b@c", "a/b-c"],
    ["\u001b[31mred\u001b[0m text", "red text"],
    ["tab\tand\u00a0space", "tab and space"],
    ["bell\u0007 and \u202eright-to-left", "bell and right-to-left"],
    ["ends with a colon:", "ends with a colon"],
    ["", ""],
    ["\0\0", ""],
  ];
  for (const [text, cleaned] of rows) test(JSON.stringify(text), () => assert.equal(cleanResultText(text), cleaned));

  test("gives one line of at most 120 characters that Zuul can carry, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        const cleaned = cleanResultText(text);
        assert.ok(Array.from(cleaned).length <= 120);
        assert.doesNotMatch(cleaned, /[:|@\p{C}]/u);
        assert.equal(cleaned, cleaned.trim());
      }),
      { numRuns: 2000 },
    );
  });
});

test("failureText never wears a word that Zuul would take for something else", () => {
  for (const text of ["SUCCESS", "success", " Success: ", "SKIPPED", "canceled", "LOST", "RETRY_LIMIT", "Not_Registered", "", ":", "\n"]) {
    assert.equal(failureText(text), "FAILURE", JSON.stringify(text));
  }
  assert.equal(failureText("SUCCESS rate too low"), "SUCCESS rate too low");
});
