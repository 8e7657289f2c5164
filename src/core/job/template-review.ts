import type { Job, Pod } from "../kubernetes/objects.ts";
import type { TestTask } from "../test-task/test-task.ts";
import { readBuildFunction, renderFunctionName } from "../zuul/function-name.ts";
import { parseParameters } from "../zuul/parameters.ts";
import type { ManifestInput, ManifestSettings } from "./manifest.ts";
import { type Rendering, tryRenderJob } from "./rendering.ts";

/** What the API server made of a task's Job and pods, in its own words. */
export type TemplateReview =
  | { kind: "accepted"; warnings: readonly string[] }
  | { kind: "refused"; message: string; warnings: readonly string[] }
  /** There is nothing to ask about: no Job can be made of it. */
  | { kind: "unrenderable"; message: string }
  /** It could not be asked. */
  | { kind: "unknown"; message: string };

/** One object to ask the API server about. */
export type ReviewedObject = { kind: "Job"; object: Job; of: string } | { kind: "Pod"; object: Pod; of: string };

/**
 * What a task's builds would make, to be asked about and never stored: its Job, its pod (Pod Security, quotas and limit ranges look at
 * pods only), and the pod of each node label, all with the first of its datasets; and the pod of each other dataset. `of` says in people's words whose it is, for those of labels and datasets. `problem`: why there are none.
 */
export function renderReviewedObjects(
  task: TestTask,
  settings: ManifestSettings,
): { ok: true; objects: ReviewedObject[] } | { ok: false; problem: string } {
  const [job = ""] = task.spec.jobs;
  const [first, ...others] = task.spec.datasets ?? [];
  const example = (nodeLabel?: string, dataset = first) =>
    renderExample({ task, settings, dataset, function: readBuildFunction(renderFunctionName(job, nodeLabel)) });
  const plain = example();
  if (!plain.ok) return plain;
  const objects: ReviewedObject[] = [
    { kind: "Job", object: plain.job, of: "" },
    { kind: "Pod", object: podOf(plain.job), of: "" },
  ];
  for (const { name } of task.spec.nodeLabels ?? []) {
    const labelled = example(name);
    if (!labelled.ok) return labelled;
    objects.push({ kind: "Pod", object: podOf(labelled.job), of: ` for node label ${name}` });
  }
  for (const dataset of others) {
    const rendered = example(undefined, dataset);
    if (!rendered.ok) return rendered;
    objects.push({ kind: "Pod", object: podOf(rendered.job), of: ` for dataset ${dataset.name}` });
  }
  return { ok: true, objects };
}

/** As for a request without parameters, under a name that no build has. */
function renderExample(input: Pick<ManifestInput, "task" | "settings" | "dataset" | "function">): Rendering {
  const parsed = parseParameters(new TextEncoder().encode("{}"));
  if (!parsed.ok) throw new Error("an empty object is no parameters");
  const number = `${input.task.metadata.name}-template-review`;
  const request = {
    server: "",
    unique: "",
    number,
    logPath: null,
    payloadHash: null,
    handle: null,
    replica: "",
    since: "1970-01-01T00:00:00.000Z",
  };
  return tryRenderJob({ ...input, parameters: parsed.parameters, request });
}

function podOf({ metadata, spec }: Job): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: metadata.name, ...(metadata.namespace ? { namespace: metadata.namespace } : {}), ...spec?.template.metadata },
    ...(spec ? { spec: spec.template.spec } : {}),
  };
}
