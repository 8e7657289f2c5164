import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { redactParameters } from "../../../../src/core/logs/redaction.ts";
import { parseParameters } from "../../../../src/core/zuul/parameters.ts";
import { renderPythonJson } from "../../../../src/core/zuul/python-json.ts";

function redacted(parameters: object | string): unknown {
  const parsed = parseParameters(Buffer.from(typeof parameters === "string" ? parameters : JSON.stringify(parameters)));
  assert.ok(parsed.ok);
  return JSON.parse(renderPythonJson(redactParameters(parsed.parameters.values)));
}

describe("parameters that anybody may see", () => {
  test("hide what looks like a secret by its name, whatever it holds, in any case", () => {
    const secrets = {
      ...{ SWIFT_logs_SIGNATURE: "s", SWIFT_logs_HMAC_BODY: "a\nb", SWIFT_logs_URL: "https://swift", GITHUB_TOKEN: "t", TOKENS: ["a"] },
      ...{
        db_password: "p",
        MYSQL_PASSWD: 1234567890123,
        CLIENT_SECRET: { a: 1 },
        secretary: true,
        AWS_CREDENTIALS: null,
        API_KEY: "k",
        api_key: "k",
      },
    };
    assert.deepEqual(redacted(secrets), Object.fromEntries(Object.keys(secrets).map((name) => [name, "***"])));
  });

  test("show everything else as it came", () => {
    const plain = {
      ZUUL_UUID: "0123",
      KEY: "k",
      KEYBOARD: "qwerty",
      API_KEYS_FILE: "f",
      ZUUL_URL: "http://zuul.example.org/p",
      n: null,
      list: [1, "a", { b: true }],
    };
    assert.deepEqual(redacted(plain), plain);
  });

  test("hide secrets of objects within, and passwords in URLs wherever they stand", () => {
    assert.deepEqual(
      redacted({ deploy: [{ token: "t", user: "u" }], GIT: "git clone https://bob:hunter2@git.example.org/x http://a:b@c" }),
      {
        deploy: [{ token: "***", user: "u" }],
        GIT: "git clone https://bob:***@git.example.org/x http://a:***@c",
      },
    );
    assert.deepEqual(redacted({ U: "https://bob:p:w/x@y", A: "a@b:c@d" }), { U: "https://bob:p:w/x@y", A: "a@b:c@d" });
    const tokens = redacted({ U: "https://ghp_abc@github.com/x.git HTTP://t@h", S: "ssh://git@review:29418/x", P: "https://h/p@2" });
    assert.deepEqual(tokens, { U: "https://***@github.com/x.git HTTP://***@h", S: "ssh://git@review:29418/x", P: "https://h/p@2" });
  });

  test("keep names that are JavaScript's own, and numbers as they were written", () => {
    const text = '{"__proto__": "x", "big": 12345678901234567890.10}';
    const parsed = parseParameters(Buffer.from(text));
    assert.ok(parsed.ok);
    assert.equal(renderPythonJson(redactParameters(parsed.parameters.values)), text);
  });

  test("take no longer than they are long: 128 KiB that begin a URL again and again", () => {
    for (const unit of ["a-", "a:", "a://b:", "a://b:c", "://", "a://", "http://", "http://a"]) {
      const value = unit.repeat(100_000 / unit.length);
      const startedMs = process.cpuUsage().user;
      assert.deepEqual(redacted({ value }), { value });
      assert.ok(process.cpuUsage().user - startedMs < 2_000_000, `${unit}: not in two seconds`);
    }
  });
});
