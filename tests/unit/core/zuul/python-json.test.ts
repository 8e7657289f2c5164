import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { JsonError, JsonNumber, parseJson, parseJsonObject, renderPythonJson } from "../../../../src/core/zuul/python-json.ts";
import { fuzzParameters } from "../../../support/fuzz.ts";

const MAX_DEPTH = 100;

/** A JSON text with what stands in it, both made of the same parts. */
interface Written {
  text: string;
  value: unknown;
}

const blanks = fc.stringMatching(/^[ \t\n\r]{0,2}$/);
const digits = fc.stringMatching(/^(0|[1-9][0-9]{0,24})$/);
const number = fc
  .oneof(
    fc.constantFrom("NaN", "Infinity", "-Infinity", "-0", "1e400", "1e-07", "2.0"),
    fc
      .tuple(fc.constantFrom("", "-"), digits, fc.stringMatching(/^(\.[0-9]{1,20})?$/), fc.stringMatching(/^([eE][+-]?[0-9]{1,4})?$/))
      .map((parts) => parts.join("")),
  )
  .map((text): Written => ({ text, value: new JsonNumber(text) }));
const characters = fc.oneof(
  fc.constantFrom(...'"\\/\b\f\n\r\t{}[],:', "\0", "\ud800", "\u2028", "é", "😀"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
);
/** Each character as itself, where JSON allows that, or escaped in one of its ways. */
const text = fc.array(fc.tuple(characters, fc.boolean()), { maxLength: 12 }).map((parts): Written => {
  const toEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const written = parts.map(([character, isEscaped]) =>
    isEscaped ? character.replace(/[\s\S]/g, toEscape) : JSON.stringify(character).slice(1, -1),
  );
  return { text: `"${written.join("")}"`, value: parts.map(([character]) => character).join("") };
});
const word = fc.constantFrom<Written>({ text: "null", value: null }, { text: "true", value: true }, { text: "false", value: false });
const json = fc.letrec<{ any: Written; list: Written; object: Written }>((tie) => ({
  any: fc.oneof({ depthSize: "small", withCrossShrink: true }, number, text, word, tie("list"), tie("object")),
  list: fc.array(fc.tuple(blanks, tie("any"), blanks), { maxLength: 4 }).map((items) => ({
    text: `[${items.map(([before, item, after]) => `${before}${item.text}${after}`).join(",") || " "}]`,
    value: items.map(([, item]) => item.value),
  })),
  object: fc.array(fc.tuple(blanks, text, blanks, tie("any"), blanks), { maxLength: 4 }).map((members) => ({
    text: `{${members.map(([a, name, b, member, c]) => `${a}${name.text}${b}:${c}${member.text}${a}`).join(",") || " "}}`,
    value: new Map(members.map(([, name, , member]) => [name.value, member.value])),
  })),
}));

test("what was written is read, numbers to the letter", (t) => {
  fc.assert(
    fc.property(json.any, blanks, (written, blank) => {
      assert.deepEqual(parseJson(`${blank}${written.text}${blank}`, MAX_DEPTH), written.value);
    }),
    fuzzParameters(t, 2000),
  );
});

test("each member of an object has the text that it was written in", (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, blanks, json.any), { maxLength: 6 }), (members) => {
      const read = parseJsonObject(
        `{${members.map(([name, blank, { text }]) => `${name.text}${blank}:${blank}${text}${blank}`)}}`,
        MAX_DEPTH,
      );
      const last = new Map(members.map(([name, , { text }]) => [name.value, text]));
      assert.deepEqual(new Map([...(read ?? [])].map(([name, { written }]) => [name, written])), last);
    }),
    fuzzParameters(t, 1000),
  );
});

test("what is written is read again, is ASCII, and is JSON to others where it holds no NaN", (t) => {
  fc.assert(
    fc.property(json.any, ({ value }) => {
      const written = renderPythonJson(value);
      assert.match(written, /^[\x20-\x7e]*$/);
      assert.deepEqual(parseJson(written, MAX_DEPTH), value);
      if (!/NaN|Infinity/.test(written)) JSON.parse(written);
    }),
    fuzzParameters(t, 1000),
  );
});

test("what JSON.parse takes is taken, and what it refuses is refused but for NaN and Infinity", (t) => {
  const broken = fc
    .tuple(json.any, fc.nat(), fc.constantFrom("", ",", '"', "\\", "}", "]", "0", "-", ".", "e", "\u0001", "N"))
    .map(([{ text }, at, put]) => {
      const cut = at % (text.length + 1);
      return `${text.slice(0, cut)}${put}${text.slice(put === "" ? cut + 1 : cut)}`;
    });
  fc.assert(
    fc.property(broken, (candidate) => {
      if (/NaN|Infinity/.test(candidate)) return;
      assert.equal(
        isTaken(() => parseJson(candidate, MAX_DEPTH)),
        isTaken(() => JSON.parse(candidate)),
        candidate,
      );
    }),
    fuzzParameters(t, 3000),
  );
});

function isTaken(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof JsonError || error instanceof SyntaxError) return false;
    throw error;
  }
}

test("is written as Python does, with blanks", () => {
  assert.equal(
    renderPythonJson(
      new Map<string, unknown>([
        ["é", [new JsonNumber("1.0"), null, true]],
        ["b", {}],
      ]),
    ),
    '{"\\u00e9": [1.0, null, true], "b": {}}',
  );
});

describe("hostile texts", () => {
  const rows: [name: string, text: string, problem: RegExp][] = [
    ["lists deeper than the limit", "[".repeat(1_000_000), /nested more than 100 deep/],
    ["objects deeper than the limit", '{"a":'.repeat(1_000_000), /nested more than 100 deep/],
    ["quotation marks that are all escaped", `"${'\\"'.repeat(500_000)}`, /at character 1$/],
    ["backslashes", `"${"\\".repeat(1_000_001)}"`, /at character 1$/],
    ["blanks", " ".repeat(1_000_000), /ends too early/],
    ["a number that goes on with letters", `${"1".repeat(1_000_000)}x`, /at character 1000001$/],
  ];
  for (const [name, hostile, problem] of rows) {
    test(`of a million: ${name}`, () => assert.throws(() => parseJson(hostile, MAX_DEPTH), problem));
  }

  test("takes a million of each in a string, a number, and members", () => {
    for (const taken of [`"${'\\"'.repeat(1e6)}"`, "1".repeat(1e6), `{${'"a":1,'.repeat(2e5)}"b":[${"0,".repeat(5e5)}0]}`])
      parseJson(taken, MAX_DEPTH);
  });
});
