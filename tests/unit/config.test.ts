import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { loadConfig, parseConfig, servedPlaces } from "../../src/config.ts";
import { InputError } from "../../src/runtime/errors.ts";

const LEAST = "gearman: {servers: [zuul.example.org]}\n";

function problems(text: string): string {
  try {
    parseConfig(text, "config.yaml");
  } catch (error) {
    assert.ok(error instanceof InputError, `an InputError, not ${error}`);
    return error.message;
  }
  return assert.fail("it was accepted");
}

describe("parseConfig", () => {
  test("fills in everything but the servers, and their port", () => {
    const config = parseConfig(LEAST, "config.yaml");
    assert.deepEqual(config.gearman.servers, ["zuul.example.org:4730"]);
    assert.deepEqual(
      [config.installation, config.namespaces, config.maxBuilds, config.results, config.keepJobs, config.maxKeptJobs, config.log.level],
      ["turbo-hipster", ["default"], 100, "text", "24h", 5000, "info"],
    );
    assert.deepEqual(config.http, { public: "0.0.0.0:8080", internal: "0.0.0.0:8081" });
    assert.deepEqual([config.checkout, config.podUser, config.publicUrl], [{ allowedUrls: [] }, "fixed", undefined]);
  });

  test("serves the namespaces that it names, or all, and keeps what is its own in one of them", () => {
    const placesOf = (fields: string) => servedPlaces(parseConfig(`${LEAST}${fields}`, "config.yaml"));
    assert.deepEqual(placesOf(""), { namespaces: ["default"], own: "default" });
    assert.deepEqual(placesOf("namespaces: [one, two]"), { namespaces: ["one", "two"], own: "one" });
    assert.deepEqual(placesOf("namespaces: [one]\nownNamespace: three"), { namespaces: ["one"], own: "three" });
    assert.deepEqual(placesOf('namespaces: ["*"]\nownNamespace: operators'), { namespaces: undefined, own: "operators" });
  });

  test("keeps logs nowhere unless told to, and then for a month", () => {
    assert.deepEqual(parseConfig(LEAST, "config.yaml").logs, { store: "none", limit: "256Mi", retention: { age: "720h" } });
    const { logs } = parseConfig(
      `${LEAST}logs: {store: s3, bucket: logs, prefix: ci/zuul, limit: 1Gi, retention: {size: 50Gi}}`,
      "config.yaml",
    );
    assert.deepEqual(logs, { store: "s3", bucket: "logs", prefix: "ci/zuul", limit: "1Gi", retention: { age: "720h", size: "50Gi" } });
  });

  test("takes IPv6 addresses with and without a port", () => {
    const config = parseConfig('gearman: {servers: ["[::1]", "[::1]:4731"]}\nhttp: {public: "[::]:8080"}', "config.yaml");
    assert.deepEqual(config.gearman.servers, ["[::1]:4730", "[::1]:4731"]);
    assert.equal(config.http.public, "[::]:8080");
  });

  const bad: [string, string, RegExp][] = [
    ["nothing at all", "", /^config\.yaml is no valid configuration:\n {2}gearman: is missing/],
    ["a user of the pods by number", `${LEAST}podUser: 1000\n`, /\n {2}podUser: /],
    [
      "limits that are none",
      `${LEAST}checkout: {resources: {limits: {memory: much}}}\n`,
      /checkout\.resources\.limits\.memory: must be a quantity/,
    ],
    ["a list", "- a\n", /\n {2}\(whole file\): .*expected object/],
    ["text", "hello", /\n {2}\(whole file\): /],
    ["no servers", "gearman: {}", /\n {2}gearman\.servers: is missing/],
    ["an empty list of servers", "gearman: {servers: []}", /\n {2}gearman\.servers: needs at least one server/],
    ["a server with a scheme", "gearman: {servers: ['http://zuul']}", /\n {2}gearman\.servers\.0: must be HOST or HOST:PORT/],
    [
      "a server's port that is none",
      "gearman: {servers: ['zuul:99999']}",
      /\n {2}gearman\.servers\.0: must be .* with a port from 1 to 65535/,
    ],
    ["a server's port 0", "gearman: {servers: ['zuul:0']}", /\n {2}gearman\.servers\.0: must be .* with a port from 1 to 65535/],
    ["a server twice", "gearman: {servers: [zuul, 'zuul:4730']}", /\n {2}gearman\.servers: names a server twice/],
    ["an unknown field", `${LEAST}maxbuilds: 3`, /\n {2}maxbuilds: unknown field; known here: .*maxBuilds/],
    ["an unknown field below", `${LEAST}http: {port: 3}`, /\n {2}http\.port: unknown field; known here: public, internal/],
    ["an unknown field of the servers", "gearman: {servers: [a], tls: true}", /\n {2}gearman\.tls: unknown field; known here: servers/],
    ["a number as text", `${LEAST}maxBuilds: '3'`, /\n {2}maxBuilds: /],
    ["a number out of bounds", `${LEAST}maxBuilds: 0`, /\n {2}maxBuilds: /],
    ["no finished Job at all", `${LEAST}maxKeptJobs: 0`, /\n {2}maxKeptJobs: /],
    ["a fraction", `${LEAST}maxBuilds: 1.5`, /\n {2}maxBuilds: /],
    ["null", `${LEAST}namespaces:`, /\n {2}namespaces: /],
    ["a namespace that can be none", `${LEAST}namespaces: [CI]`, /\n {2}namespaces\.0: must be lower-case/],
    ["a pattern of namespaces", `${LEAST}namespaces: ["ci-*"]`, /\n {2}namespaces\.0: must be .* or "\*", which is every namespace/],
    [
      "every namespace beside another",
      `${LEAST}namespaces: ["*", ci]\nownNamespace: ci`,
      /\n {2}namespaces: has "\*".*beside others: leave/,
    ],
    ["no place for Leases", `${LEAST}namespaces: ["*"]`, /\n {2}ownNamespace: is missing; with namespaces \["\*"\] the Leases need/],
    ["an installation that is too long", `${LEAST}installation: ${"a".repeat(41)}`, /\n {2}installation: /],
    ["another style of results", `${LEAST}results: words`, /\n {2}results: .*text.*token/],
    ["a duration that is none", `${LEAST}keepJobs: 1 day`, /\n {2}keepJobs: must be a duration like 90s, 30m or 24h/],
    ["a URL of another kind", `${LEAST}publicUrl: ftp://a`, /\n {2}publicUrl: must be an http or https URL/],
    ["an address without a port", `${LEAST}http: {public: 0.0.0.0}`, /\n {2}http\.public: must be ADDRESS:PORT/],
    [
      "a port to listen on that is none",
      `${LEAST}http: {internal: '0.0.0.0:65536'}`,
      /\n {2}http\.internal: must be .* with a port up to 65535/,
    ],
    ["a log level that is none", `${LEAST}log: {level: trace}`, /\n {2}log\.level: .*debug.*info/],
    ["a store that is none", `${LEAST}logs: {store: swift}`, /\n {2}logs\.store: .*files.*s3/],
    ["files without a directory", `${LEAST}logs: {store: files}`, /\n {2}logs\.directory: is missing; logs\.store files needs it/],
    [
      "a bucket that is not named",
      `${LEAST}logs: {store: s3, directory: /x}`,
      /\n {2}logs\.bucket: is missing.*\n {2}logs\.directory: is of logs\.store files alone/,
    ],
    ["a bucket for nothing", `${LEAST}logs: {bucket: logs}`, /\n {2}logs\.bucket: is of logs\.store s3 alone/],
    ["a directory that is relative", `${LEAST}logs: {store: files, directory: logs}`, /\n {2}logs\.directory: must be an absolute path/],
    [
      "an endpoint without a scheme",
      `${LEAST}logs: {store: s3, bucket: logs, endpoint: minio}`,
      /\n {2}logs\.endpoint: must be an http or https URL/,
    ],
    ["a prefix that climbs", `${LEAST}logs: {store: s3, bucket: logs, prefix: ../x}`, /\n {2}logs\.prefix: must be letters/],
    ["an age in days", `${LEAST}logs: {retention: {age: 30d}}`, /\n {2}logs\.retention\.age: must be a duration/],
    ["a size that is none", `${LEAST}logs: {retention: {size: much}}`, /\n {2}logs\.retention\.size: must be a quantity/],
    [
      "an unknown field of the logs",
      `${LEAST}logs: {region_: a}`,
      /\n {2}logs\.region_: unknown field; known here: store, directory, bucket/,
    ],
    ["broken YAML", "gearman:\n  servers: [a\nx: 1", /^config\.yaml:\d+:\d+: not YAML: /],
    ["a key twice", `${LEAST}gearman: {}`, /^config\.yaml:2:1: not YAML: .*unique/],
    ["two documents", `${LEAST}---\n${LEAST}`, /^config\.yaml:2:1: not YAML: /],
    [
      "aliases upon aliases",
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]`,
      /^config\.yaml: .*alias/i,
    ],
  ];
  for (const [name, text, message] of bad) test(`names the place and the remedy: ${name}`, () => assert.match(problems(text), message));

  test("names every problem at once", () => {
    const message = problems("maxBuilds: 0\nresults: x\n");
    for (const field of ["gearman", "maxBuilds", "results"]) assert.match(message, new RegExp(`\\n {2}${field}: `));
  });
});

describe("loadConfig", () => {
  test("says which file it cannot read, and how to name another", () => {
    assert.throws(() => loadConfig("/nowhere/config.yaml"), /cannot read the configuration \/nowhere\/config\.yaml: ENOENT.*--config/);
  });

  test("reads a file", () => {
    const directory = mkdtempSync(join(tmpdir(), "th-config-"));
    try {
      writeFileSync(join(directory, "c.yaml"), LEAST);
      assert.equal(loadConfig(join(directory, "c.yaml")).gearman.servers.length, 1);
      assert.throws(() => loadConfig(directory), /cannot read the configuration .*EISDIR/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
