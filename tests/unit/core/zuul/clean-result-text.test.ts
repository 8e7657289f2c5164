import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  cleanResultText,
  failureText,
  firstLine,
  plainLine,
  type ResultLetters,
  trimmedRange,
} from "../../../../src/core/zuul/clean-result-text.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";
import { splitGerritCommand } from "../../../support/zuul/gerrit-command.ts";

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 400 }),
  // Letters and marks that become one when nothing is between them any more, and what may be between.
  fc.string({
    unit: fc.constantFrom(
      ..."aeoAK<=>-–‐ .\u0301\u0308\u0338\u0327\u3099かㄱᄀ가\u1161\u11a8\u200b\ufe0f\"'`$\\@:|´¨｀\u1fef\u0387",
      "n't",
      "\u001b[0m",
    ),
    maxLength: 200,
  }),
  fc.string({ unit: fc.constantFrom(..."\"'`\\$:|@-\n ＂＇＼＄：｜＠﹣“’Ssuc", "--", " --label "), maxLength: 200 }),
);
const styles: ResultLetters[] = ["ascii", "utf-8"];

describe("cleanResultText", () => {
  const rows: [string, string][] = [
    ["3 of 12 tests failed", "3 of 12 tests failed"],
    ["WARNING: Migration 205->206 took too long", "WARNING - Migration 205->206 took too long"],
    ["tests/test_x.py:12: boom", "tests/test_x.py-12 - boom"],
    ["test_x.py::TestFoo::test_bar", "test_x.py.TestFoo.test_bar"],
    ["\n\n  first line \nsecond", "first line second"],
    ["a|b@c", "a/b at c"],
    ["refs/heads/user@feature", "refs/heads/user at feature"],
    ["\u001b[31mred\u001b[0m text", "red text"],
    ["see \u001b]8;;http://example.org\u0007the page\u001b]8;;\u0007", "see the page"],
    ["tab\tand\u00a0space", "tab and space"],
    ["bell\u0007 and \u202eright-to-left", "bell and right-to-left"],
    ["ends with a colon:", "ends with a colon"],
    ['expected "hello world" but got `goodbye`', "expected hello world but got goodbye"],
    ['SyntaxError: missing " at the end of line 7', "SyntaxError - missing at the end of line 7"],
    ['x" --label Verified=2 --submit --tag "', "x --label Verified=2 --submit --tag"],
    ["cannot open C:\\temp\\report.xml", "cannot open C-/temp/report.xml"],
    ['exec: \\"make\\": not found in $PATH', "exec - make - not found in PATH"],
    ["couldn't, can't, Can’t and won't", "could not, can not, Can not and will not"],
    ["--submit", "submit"],
    ["3 tests failed -- ---", "3 tests failed"],
    ["alcan't, cadn't", "alca not, cad not"],
    [" - 3 tests failed - ", "3 tests failed"],
    ["", ""],
    ["\0\0", ""],
    ['"', ""],
  ];
  for (const [text, cleaned] of rows) {
    test(JSON.stringify(text), () => {
      for (const letters of styles) assert.equal(cleanResultText(text, letters), cleaned, letters);
    });
  }

  const scripts: { text: string; ascii: string; utf8: string }[] = [
    {
      text: "2 von 3 Prüfungen sind fehlgeschlagen",
      ascii: "2 von 3 Prufungen sind fehlgeschlagen",
      utf8: "2 von 3 Prüfungen sind fehlgeschlagen",
    },
    { text: "✗ 3 failed 😀", ascii: "x 3 failed ?", utf8: "✗ 3 failed 😀" },
    { text: "Größe ≠ Łódź – œuvre…", ascii: "Grosse != Lodz - oeuvre...", utf8: "Größe ≠ Łódź – œuvre…" },
    { text: "“12 µs” ≥ „10 µs“", ascii: "12 us >= 10 us", utf8: "12 µs ≥ 10 µs" },
    { text: "テスト失敗： test_foo", ascii: "? - test_foo", utf8: "テスト失敗 - test_foo" },
    { text: "ǣon ǿre", ascii: "aeon ore", utf8: "ǣon ǿre" },
    { text: "e\u0301te\u0301", ascii: "ete", utf8: "été" },
    { text: "＂ －－ｓｕｂｍｉｔ", ascii: "submit", utf8: "ｓｕｂｍｉｔ" },
  ];
  for (const { text, ascii, utf8 } of scripts) {
    test(`in ASCII, and in letters of every script: ${text}`, () => {
      assert.deepEqual([cleanResultText(text, "ascii"), cleanResultText(text, "utf-8")], [ascii, utf8]);
    });
  }

  test("cuts after a word, and within one that is too long to lose", () => {
    const words = "word ".repeat(40);
    assert.equal(cleanResultText(words), `${"word ".repeat(23).trim()}...`);
    assert.equal(cleanResultText(`${"word ".repeat(20)}(and more that is much too long)`), `${"word ".repeat(20)}(and more that is...`);
    assert.equal(cleanResultText(`${"x".repeat(93)} ${"y".repeat(100)}`), `${"x".repeat(93)} ${"y".repeat(23)}...`);
    assert.equal(cleanResultText(`${"x".repeat(94)} ${"y".repeat(100)}`), `${"x".repeat(94)}...`);
    assert.equal(cleanResultText("x".repeat(120)), "x".repeat(120));
    assert.equal(cleanResultText("x".repeat(121)), `${"x".repeat(117)}...`);
    assert.equal(cleanResultText(`${"word ".repeat(23)}123 words`), `${"word ".repeat(23).trim()}...`);
    assert.equal(cleanResultText(`${"word ".repeat(23)}1 and more`), `${"word ".repeat(23)}1...`);
    assert.equal(cleanResultText(`${"word ".repeat(22)}(as: [{, and much more`), `${"word ".repeat(22)}(as...`);
    assert.equal(cleanResultText("x".repeat(500)), `${"x".repeat(117)}...`);
    assert.equal(cleanResultText("ß".repeat(119), "ascii"), `${"s".repeat(117)}...`);
  });

  test("gives one line of at most 120 characters that Zuul can carry anywhere, whatever comes, and twice the same", (t) => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...styles), (text, letters) => {
        const cleaned = cleanResultText(text, letters);
        assert.ok(Array.from(cleaned).length <= 120);
        assert.doesNotMatch(cleaned, /["'`\\$:|@\p{C}]/u);
        assert.doesNotMatch(cleaned, /^[-\s]|\s$/);
        assert.doesNotMatch(cleaned.normalize("NFKD"), /["'`\\$:|@]/, "nothing that only looks otherwise");
        if (letters === "ascii") assert.match(cleaned, /^[\x20-\x7e]*$/);
        assert.equal(cleanResultText(cleaned, letters), cleaned);
      }),
      fuzzParameters(t, 4000),
    );
  });

  test("makes one letter of a letter and its accent where what stood between them goes", () => {
    assert.equal(cleanResultText("cafe'\u0301 closed", "utf-8"), "café closed");
    assert.equal(cleanResultText("cafe'\u0301 closed", "ascii"), "cafe closed");
  });

  test("looks at each character a few times at most, whatever stands around a text", () => {
    for (const [unit, end] of [
      [" -", "x"],
      [" -", ""],
      [" ", "x"],
      ["-", "x"],
      ["-", ""],
      [" --", "-"],
      ["- -", " "],
    ] as const) {
      for (const before of ["", "x", "x "]) {
        const characters = Array.from(`${before}${unit.repeat(5000)}${end}`);
        let steps = 0;
        const counted = new Proxy(characters, {
          get(target, key) {
            steps += 1;
            return Reflect.get(target, key);
          },
        });
        const [start, stop] = trimmedRange(counted);
        assert.ok(steps <= 4 * characters.length + 10, `${steps} steps for ${characters.length} characters of ${before}(${unit})*${end}`);
        assert.doesNotMatch(characters.slice(start, stop).join(""), /^[- ]|(?: -+| )$/);
      }
    }
  });

  test("leaves Gerrit one message, as it was put, whatever comes", (t) => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...styles), (text, letters) => {
        const message = `Build failed.\n\n- http://ci.example.org/builds/unit-1 : ${failureText(text, letters)} in 3s\n`;
        const words = splitGerritCommand(`gerrit review --project org/project --message "${message}" --label Verified=-1 1,1`);
        assert.deepEqual(words, ["gerrit", "review", "--project", "org/project", "--message", message, "--label", "Verified=-1", "1,1"]);
      }),
      fuzzParameters(t, 4000),
    );
  });
});

test("failureText never wears a word that Zuul, or a reader, would take for something else", () => {
  const words = [
    "SUCCESS",
    "success",
    " Success: ",
    "SKIPPED",
    "canceled",
    "LOST",
    "RETRY_LIMIT",
    "Not_Registered",
    "",
    ":",
    "\n",
    '"',
    "???",
  ];
  const likeWords = [
    "ＳＵＣＣＥＳＳ",
    "Sùccéss",
    '"SUCCESS"',
    "--SUCCESS",
    "SUCC\u200bESS",
    "SUCCESS!",
    "(success)",
    "((success))",
    "SU\u001b[0mCCESS",
    "ſuccess",
  ];
  for (const text of [...words, ...likeWords]) {
    for (const letters of styles) assert.equal(failureText(text, letters), "FAILURE", JSON.stringify(text));
  }
  assert.equal(failureText("SUCCESS rate too low"), "SUCCESS rate too low");
  assert.deepEqual([failureText("失敗", "ascii"), failureText("失敗", "utf-8")], ["FAILURE", "失敗"]);
});

test("firstLine is the first line that says something, whole", () => {
  assert.equal(firstLine('\n\u001b[0m\n"\r\n  expected "a: b" \u001b[31mé\u001b[0m\nmore'), 'expected "a: b" é');
  assert.equal(firstLine(`${"x".repeat(300)}\n`), "x".repeat(300));
  assert.equal(firstLine("\n \0\n"), "");
  assert.deepEqual([firstLine("a\vb"), firstLine("aVb")], ["a", "aVb"]);
  assert.equal(firstLine(`${"\n".repeat(4096)}beyond what is read`), "");
});

test("plainLine is all of it in one line", () => {
  assert.equal(plainLine("x".repeat(10_000)).length, 4096, "a Job's annotations have room for so much");
  assert.equal(plainLine('denied:\r\n\n  resource "a"\u2028\tpolicy\u0085b\u0007\n'), 'denied: resource "a" policy b');
});
