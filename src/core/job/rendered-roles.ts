import {
  type ContainerRoles,
  DATASET_CONTAINER,
  initRolesOf,
  judgedContainer,
  namesOf,
  TEST_CONTAINER,
} from "../kubernetes/container-roles.ts";
import type { PodTemplate } from "../kubernetes/objects.ts";
import type { TestTaskDataset } from "../test-task/schema/dataset.ts";
import type { TestTask } from "../test-task/test-task.ts";

/** What each container of the Job that `renderJob` makes of this task is there for. */
export function renderRoles({ spec }: TestTask, dataset: TestTaskDataset | undefined): ContainerRoles {
  const template = spec.template as unknown as PodTemplate | undefined;
  const { containers, initContainers } = template?.spec ?? { containers: [] };
  const test = judgedContainer({ containers });
  const { services, inits } = initRolesOf(initContainers ?? []);
  return {
    test: test?.name ?? TEST_CONTAINER,
    others: namesOf(containers.filter((container) => container !== test)),
    services: [...namesOf(spec.services ?? []), ...services],
    inits: [...(dataset?.image === undefined ? [] : [DATASET_CONTAINER]), ...inits],
    checkout: spec.checkout.enabled,
    collector: spec.artifacts !== undefined,
    marked: spec.script !== undefined,
  };
}
