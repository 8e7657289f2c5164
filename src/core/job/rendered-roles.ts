import { type ContainerRoles, initRolesOf, judgedContainer, namesOf, TEST_CONTAINER } from "../kubernetes/container-roles.ts";
import type { PodTemplate } from "../kubernetes/objects.ts";
import type { TestTask } from "../test-task/test-task.ts";

/** What each container of the Job that `renderJob` makes of this task is there for. */
export function renderRoles({ spec }: TestTask): ContainerRoles {
  const template = spec.template as unknown as PodTemplate | undefined;
  const { containers, initContainers } = template?.spec ?? { containers: [] };
  const test = judgedContainer({ containers });
  const { services, inits } = initRolesOf(initContainers ?? []);
  return {
    test: test?.name ?? TEST_CONTAINER,
    others: namesOf(containers.filter((container) => container !== test)),
    services: [...namesOf(spec.services ?? []), ...services],
    inits,
    checkout: spec.checkout.enabled,
    collector: spec.artifacts !== undefined,
    marked: spec.script !== undefined,
  };
}
