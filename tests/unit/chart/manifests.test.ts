import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Document, isMap, parseAllDocuments } from "yaml";
import { parseConfig } from "../../../src/config.ts";
import { configText, renderChart, renderChartText } from "./render-chart.ts";

const DIRECTORY = join(import.meta.dirname, "../../../deploy/manifests");
const FILE = join(DIRECTORY, "turbo-hipster.yaml");
const NAMESPACE = "turbo-hipster";
const HEAD =
  "# Made of the chart with deploy/manifests/values.yaml (UPDATE=1 on tests/unit/chart/manifests.test.ts); README.md says what to replace.\n";
const options = { namespace: NAMESPACE, files: [join(DIRECTORY, "values.yaml")] };

/** Helm's labels go, as nothing here is Helm's, and the checksum that starts new pods when Helm changes the configuration. */
function withoutHelm(document: Document.Parsed): string {
  const remove = (path: readonly string[]) => {
    if (document.hasIn(path)) document.deleteIn(path);
  };
  for (const metadata of [["metadata"], ["spec", "template", "metadata"]]) {
    remove([...metadata, "labels", "helm.sh/chart"]);
    const manager = [...metadata, "labels", "app.kubernetes.io/managed-by"];
    if (document.getIn(manager) === "Helm") remove(manager);
    const annotations = [...metadata, "annotations"];
    for (const name of ["checksum/config", "helm.sh/resource-policy"]) remove([...annotations, name]);
    const left = document.getIn(annotations);
    if (isMap(left) && left.items.length === 0) remove(annotations);
  }
  return document.toString({ lineWidth: 0, directives: false }).replace(/^# Source: .*\n/gm, "");
}

async function renderManifests(): Promise<string> {
  const text = await renderChartText({}, options);
  const documents = parseAllDocuments(text).filter((document) => {
    const kind = (document.toJS() as { kind?: string } | null)?.kind;
    return kind !== undefined && kind !== "CustomResourceDefinition";
  });
  const namespaces = [NAMESPACE, "ci"].map((name) => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`);
  return HEAD + [...namespaces, ...documents.map((document) => withoutHelm(document as Document.Parsed))].join("---\n");
}

test("deploy/manifests/turbo-hipster.yaml is what the chart makes (UPDATE=1 writes it)", async () => {
  const fresh = await renderManifests();
  if (process.env.UPDATE === "1") writeFileSync(FILE, fresh);
  assert.equal(readFileSync(FILE, "utf8"), fresh);
});

test("it holds every object of the chart but the definition, in namespaces that it makes, and nothing of Helm's", async () => {
  const text = readFileSync(FILE, "utf8");
  const objects = parseAllDocuments(text).map((document) => document.toJS());
  const nameOf = ({ kind, metadata }: { kind: string; metadata: { name: string; namespace?: string } }) =>
    `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
  const expected = (await renderChart({}, options)).map(nameOf).filter((name) => !name.startsWith("CustomResourceDefinition"));
  assert.deepEqual(new Set(objects.map(nameOf)), new Set([...expected, "Namespace /turbo-hipster", "Namespace /ci"]));
  const made = objects.filter(({ kind }) => kind === "Namespace").map(({ metadata }) => metadata.name);
  for (const { metadata } of objects) if (metadata.namespace) assert.ok(made.includes(metadata.namespace), metadata.namespace);
  assert.doesNotMatch(text, /helm/i);
  const config = parseConfig(configText(objects), FILE);
  assert.deepEqual([config.installation, config.namespaces, config.gearman.servers], ["turbo-hipster", ["ci"], ["zuul.example.org:4730"]]);
});

test("what its README has replaced is there, once for all", () => {
  const [readme, text] = ["README.md", "turbo-hipster.yaml"].map((name) => readFileSync(join(DIRECTORY, name), "utf8"));
  const replaced = [...(readme ?? "").matchAll(/s\|([^|]+)\|/g)].map(([, old = ""]) => old);
  assert.equal(replaced.length, 2);
  const rest = replaced.reduce((left, old) => left.replaceAll(old, ""), text ?? "");
  assert.ok(replaced.every((old) => text?.includes(old)));
  assert.doesNotMatch(rest, /example\.org/);
});
