import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { escapeExpansion, MAX_PARAMETERS_BYTES, parameterEnvironment, parseParameters } from "../../../../src/core/zuul/parameters.ts";

function parse(text: string | Buffer) {
  return parseParameters(Buffer.from(text as string));
}

function environment(values: Record<string, unknown>) {
  const parsed = parse(JSON.stringify(values));
  assert.ok(parsed.ok);
  return parameterEnvironment(parsed.parameters);
}

describe("parseParameters", () => {
  const bad: [string, string | Buffer, RegExp][] = [
    ["no JSON", "ZUUL", /are not JSON at character 1$/],
    ["what was cut off", '{"a": "b', /are not JSON at character 7$/],
    ["a blank", " ", /are not JSON, it ends too early$/],
    ["a byte order mark", "\ufeff{}", /are not JSON at character 1$/],
    ["an array", "[1]", /no JSON object/],
    ["null", "null", /no JSON object/],
    ["a number", "7", /no JSON object/],
    ["invalid UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/],
    ["a raw NUL", '{"a":"\0"}', /are not JSON/],
    ["arrays 60,000 deep", `{"a":${"[".repeat(60_000)}${"]".repeat(60_000)}}`, /nested more than 100 deep/],
    ["objects 102 deep", `${'{"a":'.repeat(102)}1${"}".repeat(102)}`, /nested more than 100 deep/],
    ["5 MB", JSON.stringify({ a: "x".repeat(5e6) }), /4883 KiB are over the limit of 128 KiB/],
  ];
  for (const [name, payload, problem] of bad) {
    test(`refuses ${name} with a reason`, () => {
      const parsed = parse(payload);
      assert.equal(parsed.ok, false);
      assert.match(parsed.ok ? "" : parsed.problem, problem);
    });
  }

  test("keeps the received text to the byte", () => {
    const text = ' {"a" : "\\u0041\\u00e9é\\ud800", "a": "last", "__proto__": {"x": 1}}\n';
    const parsed = parse(text);
    assert.ok(parsed.ok);
    assert.equal(parsed.parameters.text, text);
    assert.deepEqual(parsed.parameters.values.get("a"), { value: "last", written: '"last"' });
    assert.equal(parsed.parameters.values.get("__proto__")?.written, '{"x": 1}');
  });

  test("a request without a payload has no parameters, and the file is JSON all the same", () => {
    const parsed = parse("");
    assert.ok(parsed.ok);
    assert.equal(parsed.parameters.text, "{}");
    assert.equal(parsed.parameters.values.size, 0);
  });

  test("takes parameters of exactly the limit", () => {
    assert.equal(parse(`{"a":${"[".repeat(99)}${"]".repeat(99)}}`).ok, true);
    assert.equal(parse(`{"a":${"[".repeat(100)}${"]".repeat(100)}}`).ok, false);
    const text = `{"a":"${"x".repeat(MAX_PARAMETERS_BYTES - 8)}"}`;
    assert.equal(text.length, MAX_PARAMETERS_BYTES);
    assert.equal(parse(text).ok, true);
    assert.equal(parse(`${text} `).ok, false);
  });
});

describe("parameterEnvironment", () => {
  test("has what is no text as it was written", () => {
    const written = {
      FRAMEWORK: "2.0",
      MINOR: "1.10",
      SERIAL: "12345678901234567890",
      LIMIT: "1e400",
      EPSILON: "1e-07",
      STAMP: "1443628800.0",
      COVERAGE: "NaN",
      BUDGET: "Infinity",
      DEBT: "-Infinity",
      VERSIONS: "[1.0, 2.0]",
      NOTHING: "null",
      NESTED: '{"b" : [ 1.50,NaN ], "a":"\\u00e9"}',
    };
    const parsed = parse(`{${Object.entries(written).map(([name, text]) => `"${name}" : ${text} `)}}`);
    assert.ok(parsed.ok);
    const { variables, omitted } = parameterEnvironment(parsed.parameters);
    assert.deepEqual(Object.fromEntries(variables.map(({ name, value }) => [name, value])), written);
    assert.deepEqual(omitted, []);
  });

  test("writes what is no text as JSON", () => {
    assert.deepEqual(environment({ A: "text", B: 7, C: true, D: null, E: { x: [1] } }).variables, [
      { name: "A", value: "text" },
      { name: "B", value: "7" },
      { name: "C", value: "true" },
      { name: "D", value: "null" },
      { name: "E", value: '{"x":[1]}' },
    ]);
  });

  test("leaves out, and names, what cannot or must not be an environment variable", () => {
    const likeReserved = { _ok: "x", MY_PATH: "x", PATHS: "x", XTH_A: "x", HOMES: "x", OLD_ENV: "x", PS41: "x", FULL: "é".repeat(16_384) };
    const values = {
      "with-dash": "x",
      "1ST": "x",
      "": "x",
      "A=B": "x",
      PATH: "x",
      HOME: "x",
      LD_PRELOAD: "x",
      BASH_ENV: "$(id)",
      ENV: "/workspace/x",
      SHELLOPTS: "xtrace",
      BASHOPTS: "extdebug",
      PS4: "$(id)",
      KUBERNETES_SERVICE_HOST: "x",
      TH_RESULT_FILE: "x",
      NUL: "a\0b",
      SURROGATE: "\ud800",
      LONG: "é".repeat(16_385),
      TH_: "x",
      LD_: "x",
      ok_1: "x",
      ...likeReserved,
    };
    const { variables, omitted } = environment(values);
    const taken = { ok_1: "x", ...likeReserved };
    assert.deepEqual(Object.fromEntries(variables.map(({ name, value }) => [name, value])), taken);
    const named = omitted.map(({ name }) => name);
    assert.deepEqual(new Set(named), new Set(Object.keys(values).filter((name) => !(name in taken))));
    assert.ok(omitted.every(({ why }) => why.length > 0));
    assert.equal(omitted.find(({ name }) => name === "LONG")?.why, "it is over 32 KiB");
  });
});

test("escapeExpansion doubles every dollar, so that Kubernetes gives back the text as it was", () => {
  assert.equal(escapeExpansion("$(SECRET) $$ a$b"), "$$(SECRET) $$$$ a$$b");
});
