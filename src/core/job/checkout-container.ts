import { CHECKOUT_CONTAINER } from "../kubernetes/container-roles.ts";
import type { Container } from "../kubernetes/objects.ts";
import { CHECKOUT_TIMEOUT } from "../observation/build-limits.ts";
import type { TestTaskSpec } from "../test-task/test-task.ts";
import { escapeExpansion } from "../zuul/parameters.ts";
import { withContainerSecurity } from "./pod-security.ts";
import { MOUNTS, PARAMETERS_FILE, TERMINATION_FILE, withMounts, workspaceMount } from "./pod-volumes.ts";

export type Resources = NonNullable<Container["resources"]>;

/** What the checkout's container needs of the configuration. */
export interface CheckoutSettings {
  /** The image that holds this program, for the in-pod commands. */
  image: string;
  checkout: {
    allowedUrls: readonly string[];
    /** Of its container; without it those of the test. */
    resources?: Resources | undefined;
  };
}

/** The init container that checks out what Zuul asks about. */
export function renderCheckout({ image, checkout }: CheckoutSettings, spec: TestTaskSpec, ofTest: Resources | undefined): Container {
  const resources = checkout.resources ?? withoutDevices(ofTest);
  const { path, gitUrl, projects = [], branch, projectBranches = {}, submodules } = spec.checkout;
  const container: Container = {
    name: CHECKOUT_CONTAINER,
    image,
    args: [
      ...["checkout", "--path", path, "--timeout", CHECKOUT_TIMEOUT],
      ...(gitUrl === undefined ? [] : ["--git-url", gitUrl]),
      ...projects.flatMap((project) => ["--project", project]),
      ...(branch === undefined ? [] : ["--branch", branch]),
      ...Object.entries(projectBranches).flatMap(([project, of]) => ["--project-branch", escapeExpansion(`${project}=${of}`)]),
      ...(submodules === false ? ["--leave-submodules"] : []),
      ...checkout.allowedUrls.flatMap((url) => ["--allowed-url", url]),
    ],
    env: [
      { name: "HOME", value: path },
      { name: "TH_PARAMETERS_FILE", value: PARAMETERS_FILE },
      { name: "TH_TERMINATION_FILE", value: TERMINATION_FILE },
    ],
    terminationMessagePath: TERMINATION_FILE,
    ...(resources === undefined ? {} : { resources }),
  };
  return withMounts(withContainerSecurity(container, spec.securityContext), [workspaceMount(spec), MOUNTS.tmp, MOUNTS.request]);
}

/**
 * A quota on limits wants them of every container, and a pod needs the most of its init containers and the sum of the others: what the test has,
 * the checkout may have as well.
 */
function withoutDevices(resources: Resources | undefined): Resources | undefined {
  if (resources === undefined) return undefined;
  const own = (amounts: Resources["limits"] = {}) =>
    Object.fromEntries(Object.entries(amounts).filter(([name]) => ["cpu", "memory", "ephemeral-storage"].includes(name)));
  return {
    ...(resources.requests ? { requests: own(resources.requests) } : {}),
    ...(resources.limits ? { limits: own(resources.limits) } : {}),
  };
}
