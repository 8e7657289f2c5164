import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { readTestTaskDocuments } from "../../../src/commands/test-task-documents.ts";
import { parseConfig } from "../../../src/config.ts";
import { configText, find, renderChart } from "../chart/render-chart.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/install.md"), "utf8");
const blocks = Array.from(page.matchAll(/```yaml\n([\s\S]*?)```/g), ([, text = ""]) => text);
const [ofAll = "", values = "", ofTrial = ""] = blocks.filter((text) => !/^kind: /m.test(text));

/** Values that the table of the pages' address gives, a row each. */
const rows = Array.from(page.matchAll(/^\| [^|]+ \| (`(?:ingress|httpRoute|service): .*) \|$/gm), ([, cell = ""]) =>
  Array.from(cell.matchAll(/`(\w+: \{.*?\})`/g), ([, text]) => text).join("\n"),
);

describe("docs/install.md", () => {
  test("has values that the chart takes, with the builds apart from the operator", async () => {
    const objects = await renderChart(parse(values), { namespace: "turbo-hipster" });
    assert.equal(find(objects, "Deployment").metadata.namespace, "turbo-hipster");
    assert.equal(find(objects, "Role").metadata.namespace, "ci");
    const tag = /^npm run image -- --tag (\S+)/m.exec(page)?.[1];
    assert.equal(find(objects, "Deployment").spec.template.spec.containers[0].image, tag);
  });

  test("has values for every namespace that the chart takes, laid over those, and a policy of builds where they say", async () => {
    const [base, { config, ...rest }] = [parse(values), parse(ofAll)];
    const objects = await renderChart({ ...base, ...rest, config: { ...base.config, ...config } }, { namespace: "turbo-hipster" });
    assert.equal(find(objects, "ClusterRole", "turbo-hipster-everywhere").metadata.namespace, undefined);
    const policies = objects.filter(({ kind }) => kind === "NetworkPolicy").map(({ metadata }) => metadata.namespace);
    assert.deepEqual(policies, ["ci", "team-a"]);
  });

  test("has values for the pages' address that the chart takes, laid over those", async () => {
    const kinds = ["Ingress", "HTTPRoute", "Service"];
    assert.equal(rows.length, kinds.length);
    for (const [index, row] of rows.entries()) {
      const { config = {}, ...own } = parse(row);
      const base = parse(values);
      const objects = await renderChart({ ...base, ...own, config: { ...base.config, ...config } }, { namespace: "turbo-hipster" });
      assert.ok(
        objects.some(({ kind }) => kind === kinds[index]),
        row,
      );
    }
  });

  test("has values for a trial without a Gearman server, instead of the servers of those, and names the one that they make", async () => {
    const { config, ...rest } = parse(values);
    const { gearman: _, ...others } = config;
    const objects = await renderChart({ ...rest, ...parse(ofTrial), config: others }, { namespace: "turbo-hipster" });
    const server = /submit hello --server (turbo-hipster-gearmand\S+)/.exec(page)?.[1] ?? "";
    assert.deepEqual(parseConfig(configText(objects), "config.yaml").gearman.servers, [server]);
    const tag = /^npm run image -- --gearmand --tag (\S+)/m.exec(page)?.[1];
    assert.equal(find(objects, "Deployment", "turbo-hipster-gearmand").spec.template.spec.containers[0].image, tag);
  });

  test("has a volume by hand that the claim of those values is bound to", async () => {
    const { spec } = parse(blocks.find((text) => text.includes("kind: PersistentVolume")) ?? "");
    const claim = find(await renderChart(parse(values), { namespace: "turbo-hipster" }), "PersistentVolumeClaim");
    assert.deepEqual(spec.claimRef, { namespace: claim.metadata.namespace, name: claim.metadata.name });
    assert.deepEqual([spec.capacity, spec.accessModes], [claim.spec.resources.requests, claim.spec.accessModes]);
  });

  test("has a TestTask that is valid", () => {
    const [task = ""] = blocks.filter((text) => text.includes("kind: TestTask"));
    assert.deepEqual(
      readTestTaskDocuments(task).map((document) => [document.state, document.state === "valid" && document.warnings]),
      [["valid", []]],
    );
  });
});
