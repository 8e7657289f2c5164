import type { Container, PodSpec } from "./objects.ts";

/** The name of the test's container in the pods that are made here. */
export const TEST_CONTAINER = "test";

/** The init container that runs `turbo-hipster checkout`. */
export const CHECKOUT_CONTAINER = "checkout";

/** The init container that copies the dataset of an image; `th-` is nobody else's. */
export const DATASET_CONTAINER = "th-dataset";

/** The native sidecar that runs `turbo-hipster collect` when the test has ended. */
export const COLLECTOR_CONTAINER = "collector";

/**
 * What each container of a build's pod is there for, by name, as it was rendered. What a pod has beside these was injected by the cluster
 * (a mesh's proxy, an agent that fetches secrets): it decides nothing.
 */
export interface ContainerRoles {
  /** Its exit code is the build's. */
  test: string;
  /** The template's other containers. */
  others: readonly string[];
  /** Native sidecars. https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/ */
  services: readonly string[];
  /** Init containers that run to their end: the template's, and `DATASET_CONTAINER`. */
  inits: readonly string[];
  /** Whether there is an init container `CHECKOUT_CONTAINER` of ours. */
  checkout: boolean;
  /** Whether there is a native sidecar `COLLECTOR_CONTAINER` of ours; Jobs of older versions do not say so. */
  collector: boolean;
  /** The test is a script whose runner leaves a mark when it ends, see `END_MARK`; Jobs of older versions do not say so. */
  marked: boolean;
}

/** What an init container is there for. */
export type InitRole = "checkout" | "collector" | "service" | "init" | "injected";

/** The container whose exit code is the build's: `test`, or the first. */
export function judgedContainer<T extends { name: string }>({ containers }: { containers: readonly T[] }): T | undefined {
  return containers.find(({ name }) => name === TEST_CONTAINER) ?? containers[0];
}

/** The roles of a Job's own pod template that does not say them; never to be asked about a pod, which may hold more than its template. */
export function rolesOfTemplate(spec: Pick<PodSpec, "containers" | "initContainers"> | undefined): ContainerRoles {
  const { containers = [], initContainers = [] } = spec ?? {};
  const test = judgedContainer({ containers })?.name ?? TEST_CONTAINER;
  return {
    test,
    others: namesOf(containers).filter((name) => name !== test),
    ...initRolesOf(initContainers.filter(({ name }) => name !== CHECKOUT_CONTAINER)),
    checkout: initContainers.some(({ name }) => name === CHECKOUT_CONTAINER),
    collector: false,
    marked: false,
  };
}

/** Init containers that are not the checkout. */
export function initRolesOf(containers: readonly Pick<Container, "name" | "restartPolicy">[]): Pick<ContainerRoles, "services" | "inits"> {
  const isService = ({ restartPolicy }: Pick<Container, "restartPolicy">) => restartPolicy === "Always";
  return {
    services: namesOf(containers.filter(isService)),
    inits: namesOf(containers.filter((container) => !isService(container))),
  };
}

export function initRole(roles: ContainerRoles, name: string): InitRole {
  if (roles.checkout && name === CHECKOUT_CONTAINER) return "checkout";
  if (roles.collector && name === COLLECTOR_CONTAINER) return "collector";
  if (roles.services.includes(name)) return "service";
  return roles.inits.includes(name) ? "init" : "injected";
}

/** False for what the cluster has added to the pod. */
export function isRendered(roles: ContainerRoles, name: string): boolean {
  return name === roles.test || roles.others.includes(name) || initRole(roles, name) !== "injected";
}

export function namesOf(containers: readonly { name: string }[]): string[] {
  return containers.map(({ name }) => name);
}
