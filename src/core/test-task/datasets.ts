import { type Parameters, textParameter } from "../zuul/parameters.ts";
import type { TestTaskDataset } from "./schema/dataset.ts";
import type { TestTaskSpec } from "./test-task.ts";

/** What of a build chooses its datasets, in Zuul's words; undefined where its request does not say. */
export interface DatasetQuery {
  project: string | undefined;
  branch: string | undefined;
}

/** Of a request; what is empty counts as not said. */
export function datasetQuery(parameters: Parameters): DatasetQuery {
  const said = (name: string) => textParameter(parameters, name) || undefined;
  return { project: said("ZUUL_PROJECT"), branch: said("ZUUL_BRANCH") };
}

/** The datasets that a build of this task is to run on, in the task's order; a filter that a dataset has not passes everything. */
export function matchingDatasets({ datasets = [] }: Pick<TestTaskSpec, "datasets">, { project, branch }: DatasetQuery): TestTaskDataset[] {
  return datasets.filter(({ projects, branches }) => passes(projects, project) && passes(branches, branch));
}

function passes(filter: readonly string[] | undefined, value: string | undefined): boolean {
  return filter === undefined || (value !== undefined && filter.includes(value));
}
