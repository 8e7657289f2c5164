import type { Job, Pod } from "../kubernetes/objects.ts";
import type { TestTask } from "../test-task/test-task.ts";
import { type BuildFunction, readBuildFunction, renderFunctionName } from "../zuul/function-name.ts";
import { parseParameters } from "../zuul/parameters.ts";
import type { ManifestSettings } from "./manifest.ts";
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
 * pods only), and the pod of each node label. `of` says in people's words whose it is, for the label's. `problem`: why there are none.
 */
export function renderReviewedObjects(
  task: TestTask,
  settings: ManifestSettings,
): { ok: true; objects: ReviewedObject[] } | { ok: false; problem: string } {
  const [job = ""] = task.spec.jobs;
  const example = (nodeLabel?: string) => renderExample(task, settings, readBuildFunction(renderFunctionName(job, nodeLabel)));
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
  return { ok: true, objects };
}

/** As for a request without parameters, under a name that no build has. */
function renderExample(task: TestTask, settings: ManifestSettings, buildFunction: BuildFunction): Rendering {
  const parsed = parseParameters(new TextEncoder().encode("{}"));
  if (!parsed.ok) throw new Error("an empty object is no parameters");
  const number = `${task.metadata.name}-template-review`;
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
  const [dataset] = task.spec.datasets ?? [];
  return tryRenderJob({ task, function: buildFunction, parameters: parsed.parameters, request, settings, dataset });
}

function podOf({ metadata, spec }: Job): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: metadata.name, ...(metadata.namespace ? { namespace: metadata.namespace } : {}), ...spec?.template.metadata },
    ...(spec ? { spec: spec.template.spec } : {}),
  };
}
