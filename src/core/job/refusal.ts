import type { TestTask } from "../test-task/test-task.ts";
import { unsupportedFields } from "../test-task/unsupported-fields.ts";
import { type Parameters, textParameter } from "../zuul/parameters.ts";

/** Why a build becomes no Job: `rule` names the row of the verdict table, `why` is a clause for reviewers. */
export interface BuildRefusal {
  rule: "pipeline" | "unsupported";
  why: string;
}

/** Why this task takes no build with these parameters; undefined when it takes it. */
export function refuseBuild({ metadata, spec }: TestTask, parameters: Parameters): BuildRefusal | undefined {
  const unsupported = unsupportedFields(spec);
  if (unsupported.length > 0) {
    return { rule: "unsupported", why: `TestTask ${metadata.name} uses ${unsupported.join(", ")} - not carried out by this version` };
  }
  if (spec.pipelines === undefined) return undefined;
  const pipeline = textParameter(parameters, "ZUUL_PIPELINE");
  if (pipeline === undefined || pipeline === "") {
    return { rule: "pipeline", why: `TestTask ${metadata.name} takes builds of certain pipelines only, this one names none` };
  }
  if (spec.pipelines.includes(pipeline)) return undefined;
  // The pipeline comes first: reviewers see about a hundred characters, and its name may be anything.
  return { rule: "pipeline", why: `pipeline ${pipeline.slice(0, 60)} is none of those that TestTask ${metadata.name} takes builds of` };
}
