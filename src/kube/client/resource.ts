import { TurboHipsterError } from "../../runtime/errors.ts";

/** One kind of object as the API's paths name it; `group` is "" for the core group. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export const JOBS: Resource = { group: "batch", version: "v1", plural: "jobs" };
export const PODS: Resource = { group: "", version: "v1", plural: "pods" };
export const EVENTS: Resource = { group: "", version: "v1", plural: "events" };
export const CONFIG_MAPS: Resource = { group: "", version: "v1", plural: "configmaps" };
export const SECRETS: Resource = { group: "", version: "v1", plural: "secrets" };
export const LEASES: Resource = { group: "coordination.k8s.io", version: "v1", plural: "leases" };
export const TOKEN_REVIEWS: Resource = { group: "authentication.k8s.io", version: "v1", plural: "tokenreviews" };
export const SELF_SUBJECT_REVIEWS: Resource = { group: "authentication.k8s.io", version: "v1", plural: "selfsubjectreviews" };
export const SELF_SUBJECT_ACCESS_REVIEWS: Resource = { group: "authorization.k8s.io", version: "v1", plural: "selfsubjectaccessreviews" };
export const TEST_TASKS: Resource = { group: "turbo-hipster.io", version: "v1alpha1", plural: "testtasks" };

export interface KubeList<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: T[];
}

interface ObjectPlace {
  /** undefined: all namespaces, or a resource without namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** The path of a resource, object or subresource, without the server's own prefix. Throws `TH_KUBE_NAME` for what can't be a path segment. */
export function renderPath(resource: Resource, place: ObjectPlace = {}): string {
  const parts: string[] = [];
  if (place.namespace !== undefined) parts.push("namespaces", place.namespace);
  parts.push(resource.plural);
  if (place.name !== undefined) parts.push(place.name);
  if (place.subresource !== undefined) parts.push(place.subresource);
  return `${renderGroupPath(resource)}/${parts.map(renderSegment).join("/")}`;
}

/** The path of a group's version, with the same error. */
export function renderGroupPath({ group, version }: Pick<Resource, "group" | "version">): string {
  const parts = group === "" ? ["api", version] : ["apis", group, version];
  return `/${parts.map(renderSegment).join("/")}`;
}

/** `jobs`, `testtasks/status`: the resource as RBAC rules name it. */
export function renderRbacResource(resource: Resource, subresource?: string): string {
  return subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
}

function renderSegment(text: string): string {
  // An empty segment or a dot would address something else than what was asked for.
  if (text === "" || text === "." || text === "..") {
    throw new TurboHipsterError("TH_KUBE_NAME", `"${text}" can't be the name of a Kubernetes object or namespace`);
  }
  return encodeURIComponent(text);
}
