import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cutText } from "../../../../src/core/logs/cut-text.ts";
import { maskValues } from "../../../../src/core/logs/masked-values.ts";
import { makeMasker } from "../../../../src/core/logs/masking.ts";

const SECRET = "correct-horse-battery-staple";
const masker = makeMasker([{ name: "s", value: Buffer.from(SECRET) }]);
const mask = (text: string) => maskValues({ texts: [text] }, masker).texts[0];

describe("a text that is masked", () => {
  test("has no part of a secret at its end where it was cut, wherever that was", () => {
    const text = `login with ${SECRET}, and more`;
    for (let most = 12; most < text.length; most += 1) {
      const shown = mask(cutText(text, most)) ?? "";
      assert.ok(!shown.includes("co"), shown);
      assert.match(shown, /^login with (\*\*\*(,.*)?)?…$/);
    }
    assert.equal(mask(text), "login with ***, and more");
  });

  test("is as long as it may be where it holds none", () => {
    assert.equal(mask(cutText("x".repeat(100), 10)), `${"x".repeat(9)}…`);
    assert.equal(mask(cutText("x".repeat(10), 10)), "x".repeat(10));
  });

  test("ends as it ended where it was not cut, though a secret may begin so", () => {
    assert.equal(mask("correct-horse"), "correct-horse");
  });

  test("of a sentence that a test wrote ends as one that was cut, too", () => {
    assert.equal(mask("the login correct-hor..."), "the login ...");
  });
});

test("a cut text is well-formed", () => {
  assert.equal(cutText("a\u{1F600}b", 3), "a\uFFFD…");
});
