import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { compilePattern } from "../../../../src/core/checks/line-pattern.ts";
import { type FoundLine, LineScanner } from "../../../../src/core/checks/line-scanner.ts";
import { requiredLiteral } from "../../../../src/core/checks/required-literal.ts";

function scan(patterns: readonly string[], pieces: readonly (string | Uint8Array)[]): { found: FoundLine[]; lines: number } {
  const found: FoundLine[] = [];
  const scanner = new LineScanner(patterns, (line) => found.push(line));
  for (const piece of pieces) scanner.write(typeof piece === "string" ? Buffer.from(piece) : piece);
  scanner.end();
  return { found, lines: scanner.lines };
}

const places = (patterns: readonly string[], ...pieces: string[]) =>
  scan(patterns, pieces).found.map(({ pattern, line, text }) => [pattern, line, text]);

/** Of the same semantics as JavaScript's, so that its engine can be the judge. */
const PATTERNS = [
  ...["a", "^a", "a$", "^$", "^a+b*$", "(a|b)+c", "[ab]{2,3}", "abc", "a\\.c", "1 ", "\\bab\\b", "^abc: ?(\\w+)", "é"],
  ...["(x+x+)+y", "(?:ab|c)+ab+c", "a(bc)+a", "((a)b)+(c)", "abc.*ab", ".", "bc?d", "c+ab", "a|bc", "(?:abc|b)c", "aab+c", "^ab", "[^a]$"],
];

describe("lines that match patterns", () => {
  test("are found in order, with their numbers, and of one line in the order of patterns", () => {
    assert.deepEqual(places(["b", "abc"], "abc\nx\nb\n\nabc"), [
      [0, 1, "abc"],
      [1, 1, "abc"],
      [0, 3, "b"],
      [0, 5, "abc"],
      [1, 5, "abc"],
    ]);
  });

  test("have their groups, by number and name; one that took no part is none", () => {
    const [found] = scan(["^Running (?P<from>\\w+) -> (?P<to>\\w+)(!)?"], ["Running 205 -> 206, add\n"]).found;
    assert.deepEqual(found?.match, { groups: ["Running 205 -> 206", "205", "206", undefined], named: { from: "205", to: "206" } });
  });

  test("end before a carriage return, as of Windows and terminals", () => {
    assert.deepEqual(places(["done$", "^.$"], "done\r\nx\r\n"), [
      [0, 1, "done"],
      [1, 2, "x"],
    ]);
  });

  test("are looked at up to 64 KiB, and counted as one line, however they come", () => {
    const long = "x".repeat(200_000);
    for (const pieces of [[`${long}needle\nneedle\n`], [long, "needle", "\n", "needle\n"], [`needle${long}`, `${long}\nneedle`]]) {
      const { found, lines } = scan(["needle", "e$"], pieces);
      const expected = pieces[0]?.startsWith("needle") ? [1, 2, 2] : [2, 2];
      assert.deepEqual(
        found.map(({ line }) => line),
        expected,
      );
      assert.equal(lines, 2);
    }
  });

  test("are cut behind 64 KiB, and there alone, however they come", () => {
    const max = 64 * 1024;
    const rows: [line: string, isFound: boolean][] = [
      [`${"x".repeat(max - 6)}needle`, true],
      [`${"x".repeat(max - 6)}needle\r`, true],
      [`${"x".repeat(max - 6)}needley`, true],
      [`${"x".repeat(max - 6)}needle${"y".repeat(max)}`, true],
      [`${"x".repeat(max - 5)}needle`, false],
    ];
    for (const [line, isFound] of rows) {
      for (const cut of [0, 10, max - 3, max + 1, line.length]) {
        const { found, lines } = scan(["needle$", "[e]$"], [`short\n${line.slice(0, cut)}`, `${line.slice(cut)}\nend`]);
        const expected = isFound ? ["0 2", "1 2"] : [];
        assert.deepEqual(
          found.map(({ pattern, line: number }) => `${pattern} ${number}`),
          expected,
        );
        assert.equal(lines, 3);
      }
    }
  });

  test("are those that each pattern alone finds in each line alone, in whatever pieces they come", () => {
    const line = fc.string({ unit: fc.constantFrom(..."aabbccxy .1:é\r".split("")), maxLength: 12 });
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 20 }),
        fc.uniqueArray(fc.constantFrom(...PATTERNS), { minLength: 1 }),
        fc.array(fc.nat(300), { maxLength: 6 }),
        fc.boolean(),
        (lines, patterns, cuts, hasEnd) => {
          const text = Buffer.from(lines.join("\n") + (hasEnd && lines.length > 0 ? "\n" : ""));
          const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
          const pieces = at.slice(1).map((to, index) => text.subarray(at[index], to));
          const texts = text.toString().split("\n");
          if (texts.at(-1) === "") texts.pop();
          const expected = texts.flatMap((raw, index) => {
            const shown = raw.replace(/\r$/, "");
            return patterns.flatMap((source, pattern) =>
              new RegExp(source, "us").test(shown) ? [`${pattern} ${index + 1} ${shown}`] : [],
            );
          });
          const { found, lines: count } = scan(patterns, pieces);
          assert.deepEqual(
            found.map(({ pattern, line: number, text: shown }) => `${pattern} ${number} ${shown}`),
            expected,
          );
          assert.equal(count, texts.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("are found wherever in a long text they are, beside what looks like them", () => {
    const bodies = fc.constantFrom(
      "",
      "x",
      "needle",
      "neeeeedle",
      "nedlenee",
      "a needle\r",
      "\xff needle",
      "hay".repeat(700),
      "e".repeat(40),
    );
    const lines = fc.array(bodies, { minLength: 500, maxLength: 2000 }).map((each) => [...each, "needl".repeat(20_000), ...each, "needle"]);
    const patterns = ["needle$", "^ne+dle", "(?i)NEEDLE.", "hay[^h]*hay$", "ee(dl)+e"];
    fc.assert(
      fc.property(lines, fc.array(fc.nat(2 ** 20), { maxLength: 5 }), (texts, cuts) => {
        const text = Buffer.from(texts.join("\n"), "latin1");
        const at = [0, ...cuts.map((cut) => cut % text.length).sort((a, b) => a - b), text.length];
        const { found, lines: count } = scan(
          patterns,
          at.slice(1).map((to, index) => text.subarray(at[index], to)),
        );
        const expected = texts.flatMap((raw, index) => {
          const line = raw.slice(0, 64 * 1024).replace(/\r$/, "");
          const flags = (source: string) => new RegExp(source.replace("(?i)", ""), source.startsWith("(?i)") ? "i" : "");
          return patterns.flatMap((source, pattern) => (flags(source).test(line) ? [`${pattern} ${index + 1}`] : []));
        });
        assert.deepEqual(
          found.map(({ pattern, line }) => `${pattern} ${line}`),
          expected,
        );
        assert.equal(count, texts.length);
      }),
      { numRuns: 15 },
    );
  });

  test("are found though the patterns together need more states than are kept", () => {
    const patterns = ["(a|b)*a(a|b){11}c$", "^ab{3}"];
    const lines = Array.from({ length: 3000 }, (_, index) => index.toString(2).padStart(14, "0").replaceAll("0", "a").replaceAll("1", "b"));
    const expected = lines.flatMap((line, index) =>
      patterns.flatMap((source, pattern) => (new RegExp(source).test(`${line}c`) ? [[pattern, index + 1, `${line}c`]] : [])),
    );
    assert.ok(expected.length > 100);
    assert.deepEqual(places(patterns, lines.map((line) => `${line}c\n`).join("")), expected);
  });
});

describe("the text that every matching line has", () => {
  const rows: [pattern: string, literal: string | undefined][] = [
    ["Running upgrade (\\w+) -> (\\w+)", "Running upgrade "],
    ["^ERROR.*deadlock$", "deadlock"],
    ["abc+def", "cdef"],
    ["abc?", undefined],
    ["abcd*", "abc"],
    ["abcd{0,2}e", "abc"],
    ["a\\.b\\.c", "a.b.c"],
    ["[abc]def[^]]ghij", "ghij"],
    ["(abc|d)efg", "efg"],
    ["abc|def", undefined],
    ["(?i)abc", undefined],
    ["(?P<step>abc)def", "abcdef"],
    ["a\\Qbc\\Ed", undefined],
    ["\\x41abc", undefined],
    ["([)]abc)def", "abcdef"],
    ["(x+x+)+y", "xxy"],
    ["aabb+cd", "aabb"],
    ["ab(?:cd)+ef", "abcd"],
    ["a(?:bc)+def", "bcdef"],
    ["a(b(cd)+e)+f", "abcd"],
    ["(?P<größe>abc)d", "abcd"],
    ["(?P<size>ab)cd", "abcd"],
    ["(ab)*cde", "cde"],
    ["(ab)?cde", "cde"],
    ["(ab){0,2}cde", "cde"],
    ["(abc)+?d", "abc"],
    ["((a|b)cd)+ef", "cdef"],
    ["caf\ufffd", undefined],
    ["unexpected {|expected } before", undefined],
    ["foo{a|b}error", undefined],
    ["x{(abc}defg)?", undefined],
    ["00(0+,)+ total", "0, total"],
    ["--(-+x)+y", "---"],
    ["aa(a+c)+b", "aaa"],
  ];
  for (const [pattern, literal] of rows) test(`of ${pattern} is ${literal}`, () => assert.equal(requiredLiteral(pattern), literal));
});

test("a pattern that is none says what is wrong with it", () => {
  assert.throws(() => compilePattern("a(b"), { message: "missing closing ): `a(b`" });
  assert.throws(() => compilePattern("(?=a)"), /invalid/);
});
