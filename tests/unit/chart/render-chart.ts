import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { buildParts } from "../../../deploy/local/parts.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";

const ROOT = join(import.meta.dirname, "../../..");
export const CHART = join(ROOT, "charts/turbo-hipster");
export const EXAMPLES = join(ROOT, "deploy/examples");

/** The least that the chart can be installed with. */
export const LEAST_VALUES = { config: { gearman: { servers: ["zuul.example.org:4730"] } } };

export interface ChartObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  // Whatever else the kind has; tests look into it field by field.
  // biome-ignore lint/suspicious/noExplicitAny: the shape of every kind there is
  [field: string]: any;
}

export interface RenderOptions {
  release?: string;
  namespace?: string;
  /** More values files, laid under `values`. */
  files?: readonly string[];
  /** What `helm test` makes, too. */
  hooks?: boolean;
}

/** What `helm template` prints of the chart; rejects with helm's own words when it refuses. */
export function renderChartText(values: object, options: RenderOptions = {}): Promise<string> {
  const { release = "turbo-hipster", namespace = "ci", files = [], hooks = false } = options;
  const flags = ["--namespace", namespace, "--kube-version", "1.29.0", ...(hooks ? [] : ["--no-hooks"])];
  const given = [...files.flatMap((file) => ["--values", file]), "--values", "-"];
  return helm(["template", release, CHART, ...flags, ...given], JSON.stringify(values));
}

/** The objects of that. */
export async function renderChart(values: object, options: RenderOptions = {}): Promise<ChartObject[]> {
  return parseAllDocuments(await renderChartText(values, options))
    .map((document) => {
      for (const error of [...document.errors, ...document.warnings]) throw error;
      return document.toJS();
    })
    .filter((object) => object !== null);
}

export async function helm(args: readonly string[], input?: string): Promise<string> {
  const directory = await buildParts(["helm"], (line) => console.error(line));
  return runCommand(join(directory, "helm"), args, input === undefined ? {} : { input });
}

/** The only object of that kind, or the one of that name. */
export function find(objects: readonly ChartObject[], kind: string, name?: string): ChartObject {
  const found = objects.filter((object) => object.kind === kind && (name === undefined || object.metadata.name === name));
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} objects of kind ${kind} ${name ?? ""}`);
  return found[0];
}

/** The text of the operator's configuration file. */
export function configText(objects: readonly ChartObject[]): string {
  return find(objects, "ConfigMap").data["config.yaml"];
}
