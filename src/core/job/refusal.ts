import { findCheckFaults } from "../checks/check-faults.ts";
import { datasetQuery, matchingDatasets } from "../test-task/datasets.ts";
import type { TestTask } from "../test-task/test-task.ts";
import { type Parameters, textParameter } from "../zuul/parameters.ts";

/** Why a build becomes no Job: `rule` names the row of the verdict table, which says whether that is a fault, `why` is a clause for reviewers. */
export interface BuildRefusal {
  rule: "pipeline" | "unsupported" | "no-dataset" | "dataset-not-needed" | "bad-checks";
  why: string;
}

/** Why this task takes no build with these parameters; undefined when it takes it. `keepsLogs`: the installation has a store for them. */
export function refuseBuild(task: TestTask, parameters: Parameters, keepsLogs: boolean): BuildRefusal | undefined {
  return refuseChecks(task, keepsLogs) ?? refusePipeline(task, parameters) ?? refuseDatasets(task, parameters);
}

/** Without its checks a test could pass that should fail. */
function refuseChecks({ metadata, spec }: TestTask, keepsLogs: boolean): BuildRefusal | undefined {
  if (spec.checks === undefined || spec.checks.length === 0) return undefined;
  if (!keepsLogs)
    return { rule: "bad-checks", why: `TestTask ${metadata.name} has checks, and this installation keeps no logs - set logs.store` };
  const [fault] = findCheckFaults(spec.checks);
  return fault && { rule: "bad-checks", why: `TestTask ${metadata.name} - ${fault.path} ${fault.message}` };
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
  const rule = spec.whenNoDataset === "succeed" ? "dataset-not-needed" : "no-dataset";
  return { rule, why: `no dataset of TestTask ${metadata.name} matches ${project.slice(0, 60)}, ${branch.slice(0, 60)}` };
}
