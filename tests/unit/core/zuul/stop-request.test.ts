import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseStopRequest } from "../../../../src/core/zuul/stop-request.ts";

describe("parseStopRequest", () => {
  test("reads the number, whatever else is there", () => {
    assert.equal(parseStopRequest(Buffer.from('{"name": "gate-unit", "number": "unit-1", "more": []}')), "unit-1");
    assert.equal(parseStopRequest(Buffer.from(JSON.stringify({ number: "a".repeat(253) }))), "a".repeat(253));
  });

  const none: [string, Buffer | string][] = [
    ["nothing", ""],
    ["no JSON", "unit-1"],
    ["null", "null"],
    ["text", '"unit-1"'],
    ["a list", '["number"]'],
    ["no number", '{"name": "unit-1"}'],
    ["a number that is a number", '{"number": 1}'],
    ["a number that is null", '{"number": null}'],
    ["an empty number", '{"number": ""}'],
    ["a number that no Job can have", JSON.stringify({ number: "a".repeat(254) })],
    ["bytes that are no text", Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ];
  for (const [name, payload] of none) test(`names none: ${name}`, () => assert.equal(parseStopRequest(Buffer.from(payload)), undefined));
});
