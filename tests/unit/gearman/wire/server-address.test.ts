import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServerAddress } from "../../../../src/gearman/wire/server-address.ts";
import { InputError } from "../../../../src/runtime/errors.ts";

test("an address is a host or an IP with a port, 4730 when left out", () => {
  const table: [string, string, number][] = [
    ["zuul.example.org:4731", "zuul.example.org", 4731],
    ["zuul", "zuul", 4730],
    ["10.0.0.1:1", "10.0.0.1", 1],
    ["[::1]:4730", "::1", 4730],
    ["[fe80::1%eth0]", "fe80::1%eth0", 4730],
  ];
  for (const [text, host, port] of table) assert.deepEqual(parseServerAddress(text), { host, port }, text);
});

test("anything else is refused with a text that shows how to write it", () => {
  for (const text of ["", ":4730", "a:b", "a:0", "a:65536", "::1:4730", "a b:1", "gearman://a:4730", "a:4730/x", "[::1", "a:"]) {
    assert.throws(
      () => parseServerAddress(text),
      (error: unknown) => error instanceof InputError && error.message.includes("host:port"),
      text,
    );
  }
});
