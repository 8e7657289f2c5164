import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withoutNames } from "../../../../src/core/kubernetes/without-names.ts";

describe("of a message without its names is left:", () => {
  const rows: [string, string][] = [
    ['secret "read-timeout" not found', "secret  not found"],
    ['exec: "a \\" b": not found', "exec: : not found"],
    ["error executing hook `/usr/bin/timeout hook`", "error executing hook "],
    ["couldn't find key timeout in ConfigMap ci/timeouts", "couldn't find key  in ConfigMap "],
    ["references non-existent config key: timeout", "references non-existent config key: "],
    ["r.example.org:5000/ci/timeout:1: not found", ": not found"],
    ["docker.io/ci/timeout@sha256:0123: not found", ": not found"],
    ["reading manifest 429 in docker.io/ci/timeout: manifest unknown", "reading manifest : manifest unknown"],
    ["initializing source docker://ci/timeout:1: unexpected EOF", "initializing source : unexpected EOF"],
    ["reading manifest 1 in r.example.org:5000/ci/timeout:1: manifest unknown", "reading manifest : manifest unknown"],
    ["don't wait for 'read timeout' of it", "don't wait for  of it"],
    ["https://timeout.example.org: EOF", ": EOF"],
    ["https://timeout.example.org 403", " 403"],
    ["no answer of https://timeout.example.org", "no answer of "],
    ["stat /data/timeout: no such file or directory", "stat : no such file or directory"],
  ];
  for (const [message, left] of rows) test(message, () => assert.equal(withoutNames(message), left));

  for (const message of [
    "failed to sync secret cache: timed out waiting for the condition",
    "dial tcp 10.0.0.1:443: i/o timeout",
    "dial tcp: lookup registry.example.org on 10.96.0.10:53: no such host",
    "429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.",
  ]) {
    test(`all of "${message}"`, () => assert.equal(withoutNames(message), message));
  }
});
