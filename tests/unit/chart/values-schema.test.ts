import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { parseConfig } from "../../../src/config.ts";
import { DURATION_MAX_LENGTH, DURATION_PATTERN } from "../../../src/core/kubernetes/duration.ts";
import { InputError } from "../../../src/runtime/errors.ts";
import { CHART, LEAST_VALUES, renderChart } from "./render-chart.ts";

interface Schema {
  type?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  pattern?: string;
  maxLength?: number;
  description?: string;
  default?: unknown;
}

const schema: Schema = JSON.parse(readFileSync(join(CHART, "values.schema.json"), "utf8"));
const defaults = parse(readFileSync(join(CHART, "values.yaml"), "utf8"));

/** The values that are objects of fixed fields. */
const GROUPS = [
  ...["podDisruptionBudget", "persistence", "image", "crds", "rbac", "serviceAccount", "service", "ingress", "httpRoute", "networkPolicy"],
  "gearmand",
];

function refuses(values: object, expected: RegExp): Promise<void> {
  return assert.rejects(renderChart(values), (error: Error) => {
    assert.match(error.message, expected);
    return true;
  });
}

/** The names that the operator's own schema knows at a place of the configuration, as its error message lists them. */
function fieldsOfConfig(path: readonly string[]): string[] {
  const atPath = path.reduceRight<Record<string, unknown>>((inner, name) => ({ [name]: inner }), { unheardOf: 1 });
  const config = { gearman: { servers: ["a"] }, ...atPath };
  try {
    parseConfig(JSON.stringify(config), "test");
  } catch (error) {
    assert.ok(error instanceof InputError);
    return /unheardOf: unknown field; known here: (.*)/.exec(error.message)?.[1]?.split(", ") ?? [];
  }
  return [];
}

describe("values of the chart", () => {
  test("without a Gearman server the message names the value and how to set it", async () => {
    await refuses({}, /config\.gearman\.servers is empty.*--set 'config\.gearman\.servers=/);
    await refuses({ config: { gearman: { servers: [] } } }, /config\.gearman\.servers is empty/);
  });

  const wrong: [string, object, RegExp][] = [
    ["an unknown value", { replicaCount: 2 }, /additional properties 'replicaCount' not allowed/],
    ["an unknown field of the configuration", { config: { maxBuild: 2 } }, /at '\/config': additional properties 'maxBuild' not allowed/],
    [
      "every namespace for the policy of builds, which is made in named ones",
      { networkPolicy: { builds: { namespaces: ["ci", "*"] } } },
      /at '\/networkPolicy\/builds\/namespaces\/1'/,
    ],
    [
      "one text instead of a list of servers",
      { config: { gearman: { servers: "a:1" } } },
      /at '\/config\/gearman\/servers': got string, want array/,
    ],
    ["a server with a scheme", { config: { gearman: { servers: ["tcp://a:1"] } } }, /at '\/config\/gearman\/servers\/0'/],
    ["no namespace at all", { config: { namespaces: [] } }, /at '\/config\/namespaces': minItems/],
    ["a namespace twice", { config: { namespaces: ["a", "a"] } }, /at '\/config\/namespaces'/],
    [
      "every namespace beside another",
      { config: { ...LEAST_VALUES.config, namespaces: ["*", "a"] } },
      /config\.namespaces has "\*", which is every namespace, beside others/,
    ],
    ["a pattern of namespaces", { config: { namespaces: ["ci-*"] } }, /at '\/config\/namespaces\/0'/],
    ["an installation that is no name", { config: { installation: "A b" } }, /at '\/config\/installation'/],
    ["too many builds", { config: { maxBuilds: 10_001 } }, /at '\/config\/maxBuilds': maximum/],
    ["no operator at all", { replicas: 0 }, /at '\/replicas': minimum/],
    ["half an operator", { replicas: 1.5 }, /at '\/replicas': got number, want integer/],
    ["a drain without a unit", { config: { drain: 3600 } }, /at '\/config\/drain': got number, want string/],
    ["a duration of days", { config: { keepJobs: "3d" } }, /at '\/config\/keepJobs'/],
    ["a log level of another program", { config: { log: { level: "trace" } } }, /at '\/config\/log\/level'/],
    ["a public address that is no URL", { config: { publicUrl: "builds.example.org" } }, /at '\/config\/publicUrl'/],
    [
      "internal pages on the loopback",
      { config: { http: { internal: "127.0.0.1:8081" } } },
      /config\.http\.internal is "127\.0\.0\.1:8081", which neither/,
    ],
    [
      "public pages on any free port",
      { config: { http: { public: "0.0.0.0:0" } } },
      /config\.http\.public is "0\.0\.0\.0:0", which neither/,
    ],
    ["a duration that is too long to be one", { config: { drain: "1h".repeat(11) } }, /at '\/config\/drain': maxLength/],
    ["an amount that is none", { config: { checkout: { resources: { limits: { memory: true } } } } }, /at '\/config\/checkout\/resources/],
    ["an amount that is no quantity", { config: { checkout: { resources: { requests: { memory: "much" } } } } }, /'much' does not match/],
    ["less than nothing", { config: { checkout: { resources: { limits: { memory: -1 } } } } }, /\/limits\/memory': minimum/],
    ["a size that is no quantity", { config: { logs: { retention: { size: "50GB" } } } }, /at '\/config\/logs\/retention\/size'/],
    ["a public address without a host", { config: { publicUrl: "http://" } }, /at '\/config\/publicUrl'/],
    ["a server's port that is none", { config: { gearman: { servers: ["zuul:99999"] } } }, /at '\/config\/gearman\/servers\/0'/],
    ["a server's port 0", { config: { gearman: { servers: ["zuul:0"] } } }, /at '\/config\/gearman\/servers\/0'/],
    [
      "a server twice, with its port and without",
      { config: { gearman: { servers: ["zuul", "other:4730", "zuul:4730"] } } },
      /config\.gearman\.servers names zuul:4730 twice; .* Leave one of the two out/,
    ],
    ["public pages on a port that is none", { config: { http: { public: "0.0.0.0:65536" } } }, /at '\/config\/http\/public'/],
    [
      "both ports alike",
      { config: { http: { public: "0.0.0.0:8081" } } },
      /config\.http\.public and config\.http\.internal both have the port 8081\. Give one of them another/,
    ],
    ["a range that is none", { networkPolicy: { podRanges: ["10.0.0.0"] } }, /at '\/networkPolicy\/podRanges\/0'/],
    [
      "every address",
      { networkPolicy: { podRanges: ["10.0.0.0/8", "0.0.0.0/0"] } },
      /networkPolicy: the range 0\.0\.0\.0\/0 is every address/,
    ],
    ["every IPv6 address", { networkPolicy: { builds: { closedRanges: ["::/0"] } } }, /networkPolicy: the range ::\/0 is every address/],
    [
      "a port of a name",
      { networkPolicy: { builds: { closedPorts: ["https"] } } },
      /at '\/networkPolicy\/builds\/closedPorts\/0': got string/,
    ],
    ["a container without an image", { extraContainers: [{ name: "a" }] }, /at '\/extraContainers\/0': missing property 'image'/],
    ["a tag in the repository's digest", { image: { digest: "latest" } }, /at '\/image\/digest'/],
    ["a number as a label", { podLabels: { a: 1 } }, /at '\/podLabels\/a': got number, want string/],
    ["a variable without a name", { extraEnv: [{ value: "x" }] }, /at '\/extraEnv\/0': missing property 'name'/],
  ];
  for (const [what, values, expected] of wrong) {
    test(`${what} is refused by its name`, () => {
      const config = { ...LEAST_VALUES.config, ...(values as { config?: object }).config };
      return refuses({ ...values, config }, expected);
    });
  }

  test("all that the first chart had are taken, its defaults written out and each field of its configuration", async () => {
    const config = {
      ...{ installation: "ci", namespaces: ["ci"], gearman: { servers: ["zuul:4730"] }, image: "turbo-hipster:1", maxBuilds: 200 },
      ...{ results: "token", checkout: { allowedUrls: ["https://zuul.example.org/p/"] }, keepJobs: "48h", log: { level: "debug" } },
      ...{ publicUrl: "https://builds.example.org", http: { public: "0.0.0.0:8080", internal: "0.0.0.0:8081" } },
    };
    const defaults = join(import.meta.dirname, "../../fixtures/first-version/values.yaml");
    const objects = await renderChart({ config }, { files: [defaults] });
    const { "config.yaml": rendered } = objects.find(({ kind, data }) => kind === "ConfigMap" && data["config.yaml"])?.data ?? {};
    for (const [name, value] of Object.entries(config)) assert.deepEqual(parse(rendered)[name], value, name);
    // It was right when an operator let go of its builds at once: notes of the release say that it is none now.
    const deployment = objects.find(({ kind }) => kind === "Deployment");
    assert.equal(deployment?.spec.template.spec.terminationGracePeriodSeconds, 30);
  });

  test("a release whose name cannot name an installation is told to set one", async () => {
    await assert.rejects(
      renderChart(LEAST_VALUES, { release: "zuul.staging" }),
      /"zuul\.staging" cannot name the installation.*config\.installation/s,
    );
    await assert.rejects(renderChart(LEAST_VALUES, { release: "x".repeat(41) }), /config\.installation/);
    await renderChart(LEAST_VALUES, { release: "x".repeat(40) });
  });
});

describe("values.schema.json", () => {
  test("knows exactly the fields of the operator's configuration, at every level", () => {
    const visit = (part: Schema, path: string[]) => {
      assert.deepEqual(new Set(Object.keys(part.properties ?? {})), new Set(fieldsOfConfig(path)), `config.${path.join(".")}`);
      for (const [name, inner] of Object.entries(part.properties ?? {})) if (inner.properties) visit(inner, [...path, name]);
    };
    visit(schema.properties?.config ?? {}, []);
    const { keepJobs, drain, gearman } = schema.properties?.config?.properties ?? {};
    for (const duration of [keepJobs, drain, gearman?.properties?.clientGoneAfter]) {
      assert.deepEqual([duration?.pattern, duration?.maxLength], [DURATION_PATTERN, DURATION_MAX_LENGTH]);
    }
  });

  test("knows exactly the values of values.yaml, besides helm's own global, and lets no other in", () => {
    const { global: _, ...properties } = schema.properties ?? {};
    assert.deepEqual(new Set(Object.keys(properties)), new Set(Object.keys(defaults)));
    assert.equal(schema.additionalProperties, false);
    for (const name of GROUPS) {
      assert.deepEqual(new Set(Object.keys(properties[name]?.properties ?? {})), new Set(Object.keys(defaults[name])), name);
      assert.equal(properties[name]?.additionalProperties, false, name);
    }
  });

  test("tells editors what every value is for, and no default of the operator's that the chart changes", () => {
    const visit = (part: Schema, path: string) => {
      for (const [name, inner] of Object.entries(part.properties ?? {})) {
        const isGroup = inner.properties !== undefined && Object.values(inner.properties).some(({ description }) => description);
        assert.ok(isGroup || inner.description, `${path}${name}`);
        if (isGroup) visit(inner, `${path}${name}.`);
      }
    };
    visit(schema, "");
    const { installation, namespaces, logs, drain } = schema.properties?.config?.properties ?? {};
    assert.deepEqual([installation?.default, namespaces?.default, logs?.properties?.store?.default], [undefined, undefined, undefined]);
    assert.equal(drain?.default, "1h");
  });

  test("every value has a row in the chart's README, those of the configuration at any depth", () => {
    const readme = readFileSync(join(CHART, "README.md"), "utf8");
    const visit = (part: Schema, path: string): string[] =>
      Object.entries(part.properties ?? {}).flatMap(([name, inner]) =>
        inner.properties && Object.keys(inner.properties).length > 0 && name !== "resources"
          ? visit(inner, `${path}${name}.`)
          : [`${path}${name}`],
      );
    const names = visit(schema, "").filter((name) => name !== "global");
    assert.ok(names.length > 90, `${names.length}`);
    for (const name of names) assert.match(readme, new RegExp(`^\\| \`${name.replaceAll(".", "\\.")}\` \\| .* \\| .+ \\|$`, "m"), name);
  });
});
