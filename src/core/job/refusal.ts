import { datasetQuery, matchingDatasets } from "../test-task/datasets.ts";
import type { TestTask } from "../test-task/test-task.ts";
import { unsupportedFields } from "../test-task/unsupported-fields.ts";
import { type Parameters, textParameter } from "../zuul/parameters.ts";

/** Why a build becomes no Job: `rule` names the row of the verdict table, `why` is a clause for reviewers. */
export interface BuildRefusal {
  rule: "pipeline" | "unsupported" | "no-dataset";
  why: string;
}

/** Why this task takes no build with these parameters; undefined when it takes it. */
export function refuseBuild(task: TestTask, parameters: Parameters): BuildRefusal | undefined {
  return refuseTask(task) ?? refusePipeline(task, parameters) ?? refuseDatasets(task, parameters);
}

function refuseTask({ metadata, spec }: TestTask): BuildRefusal | undefined {
  const unsupported = unsupportedFields(spec);
  if (unsupported.length === 0) return undefined;
  return { rule: "unsupported", why: `TestTask ${metadata.name} uses ${unsupported.join(", ")} - not carried out by this version` };
}

function refusePipeline({ metadata, spec }: TestTask, parameters: Parameters): BuildRefusal | undefined {
  if (spec.pipelines === undefined) return undefined;
  const pipeline = textParameter(parameters, "ZUUL_PIPELINE");
  if (pipeline === undefined || pipeline === "") {
    return { rule: "pipeline", why: `TestTask ${metadata.name} takes builds of certain pipelines only, this one names none` };
  }
  if (spec.pipelines.includes(pipeline)) return undefined;
  // The pipeline comes first: reviewers see about a hundred characters, and its name may be anything.
  return { rule: "pipeline", why: `pipeline ${pipeline.slice(0, 60)} is none of those that TestTask ${metadata.name} takes builds of` };
}

/** Without its data a test could pass that should fail. */
function refuseDatasets({ metadata, spec }: TestTask, parameters: Parameters): BuildRefusal | undefined {
  if (spec.datasets === undefined) return undefined;
  const query = datasetQuery(parameters);
  if (matchingDatasets(spec, query).length > 0) return undefined;
  const { project = "no project", branch = "no branch" } = query;
  return { rule: "no-dataset", why: `no dataset of TestTask ${metadata.name} matches ${project.slice(0, 60)}, ${branch.slice(0, 60)}` };
}
