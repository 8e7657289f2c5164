import { CHECKOUT_CONTAINER } from "../kubernetes/container-roles.ts";
import type { Container, PodSpec } from "../kubernetes/objects.ts";
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
  const { path, gitUrl, projects = [], branch, projectBranches = {}, submodules, depth, filter, cache, credentials = [] } = spec.checkout;
  if (credentials.length > 0 && checkout.allowedUrls.length === 0) {
    throw new Error("credentials need checkout.allowedUrls in the operator's configuration - a request names the URL");
  }
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
      ...(depth === undefined ? [] : ["--depth", String(depth)]),
      ...(filter === undefined ? [] : ["--filter", filter]),
      ...(cache === undefined ? [] : ["--cache", CACHE_MOUNT.mountPath]),
      ...credentials.flatMap(({ url }, index) => ["--credentials", `${url}=${secretMount(index).mountPath}`]),
      ...(credentials.length === 0 ? [] : ["--private", PRIVATE_MOUNT.mountPath]),
    ],
    env: [
      { name: "HOME", value: path },
      { name: "TH_PARAMETERS_FILE", value: PARAMETERS_FILE },
      { name: "TH_TERMINATION_FILE", value: TERMINATION_FILE },
    ],
    terminationMessagePath: TERMINATION_FILE,
    ...(resources === undefined ? {} : { resources }),
  };
  return withMounts(withContainerSecurity(container, spec.securityContext), [
    ...[workspaceMount(spec), MOUNTS.tmp, MOUNTS.request],
    ...(cache === undefined ? [] : [CACHE_MOUNT]),
    ...credentials.map((_, index) => secretMount(index)),
    ...(credentials.length === 0 ? [] : [PRIVATE_MOUNT]),
  ]);
}

const CACHE_MOUNT = { name: "th-git-cache", mountPath: "/run/turbo-hipster/git-cache" };
/** For copies of keys: /tmp is the test's as well. */
const PRIVATE_MOUNT = { name: "th-private", mountPath: "/run/turbo-hipster/private" };

function secretMount(index: number) {
  return { name: `th-credentials-${index}`, mountPath: `/run/turbo-hipster/credentials/${index}`, readOnly: true };
}

/** What its container has beside the volumes that the test has too. */
export function renderCheckoutVolumes({ checkout }: TestTaskSpec): NonNullable<PodSpec["volumes"]> {
  const { enabled, cache, credentials = [] } = checkout;
  if (!enabled) return [];
  return [
    ...(cache === undefined ? [] : [{ name: CACHE_MOUNT.name, persistentVolumeClaim: { claimName: cache.claimName } }]),
    ...credentials.map(({ secretName }, index) => ({ name: secretMount(index).name, secret: { secretName } })),
    ...(credentials.length === 0 ? [] : [{ name: PRIVATE_MOUNT.name, emptyDir: { medium: "Memory", sizeLimit: "4Mi" } }]),
  ];
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
