import { CONTAINER_FIELDS, JOB_SPEC_FIELDS, POD_SPEC_FIELDS } from "../kubernetes/pod-fields.ts";

/** Where a field belongs that is not known where it was written: for people who know Kubernetes, or another CI system. */

type Segments = readonly (string | number)[];

/** Words with a better remedy than their place in Kubernetes' objects. */
const OWN_HINTS: Readonly<Record<string, string>> = {
  args: "use script, or args of a container of template",
  command: "use script, or command of a container of template",
  entrypoint: "use script, or command of a container of template",
  shell: "use script with a first line such as #!/bin/bash, or command of a container of template",
  containers: "belongs into template.spec, which holds a whole pod",
  name: "belongs into metadata; the names of Zuul's jobs go into spec.jobs",
  ports: "belongs into a service, or into a container of template",
  restartPolicy: "the pod of a build runs once; Zuul has attempts for what is to be tried again",
  terminationMessagePath: "is set by turbo-hipster; a test writes what reviewers read into the file $TH_RESULT_FILE",
};

/** Words of a container that a service says otherwise. */
const SERVICE_HINTS: Readonly<Record<string, string>> = {
  livenessProbe: "a service is started anew when it ends; use ready, or a sidecar in template.spec.initContainers",
  readinessProbe: "use ready",
  startupProbe: "use ready",
};

const A_SIDECAR = "a service has no such field; write it as a sidecar (restartPolicy: Always) in template.spec.initContainers";

/** What is wrong with an unknown field at `segments`, where `known` are known and `specFields` are those of a spec. */
export function unknownFieldMessage(field: string, known: readonly string[], segments: Segments, specFields: readonly string[]): string {
  const hints = hintsAt(segments, specFields);
  const hint = hints.get(field);
  if (hint !== undefined) return `unknown field; ${hint}`;
  // Whichever is nearer: imagePullSecret is no misspelt image.
  const nearest = nearestName(field, [...known, ...hints.keys()]);
  if (nearest === undefined) return known.length === 0 ? "unknown field; remove it" : `unknown field; known here: ${known.join(", ")}`;
  const meant = `unknown field; did you mean ${nearest}?`;
  return known.includes(nearest) ? meant : `${meant} It ${hints.get(nearest)}`;
}

function hintsAt(segments: Segments, specFields: readonly string[]): ReadonlyMap<string, string> {
  const [root, list] = segments;
  if (segments.length === 0) return new Map(specFields.map((field) => [field, "belongs into spec"]));
  if (root !== "spec") return new Map();
  if (segments.length === 1) return SPEC_HINTS;
  return segments.length === 3 && list === "services" ? SERVICE_FIELD_HINTS : new Map();
}

const SPEC_HINTS: ReadonlyMap<string, string> = new Map([
  ...Object.keys(POD_SPEC_FIELDS).map((field) => [field, "belongs into template.spec"] as const),
  ...Object.keys(CONTAINER_FIELDS).map((field) => [field, "belongs into a container of template"] as const),
  ...Object.entries(JOB_SPEC_FIELDS).map(
    ([field, instead]) => [field, instead === "" ? "is set by turbo-hipster" : `is set by turbo-hipster: ${instead}`] as const,
  ),
  ...Object.entries(OWN_HINTS),
]);

const SERVICE_FIELD_HINTS: ReadonlyMap<string, string> = new Map([
  ...Object.keys(CONTAINER_FIELDS).map((field) => [field, A_SIDECAR] as const),
  ...Object.entries(SERVICE_HINTS),
]);

/**
 * The name that `word` was probably meant to be: at most two edits away (one for short words), or one that begins like it and is not much
 * shorter or longer.
 */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  if (lower.length > 50) return undefined;
  const ranked = names
    .map((name) => ({ name, distance: editDistance(lower, name.toLowerCase()) }))
    .filter(
      ({ name, distance }) => distance <= (Math.min(lower.length, name.length) < 5 ? 1 : 2) || isLongPrefix(lower, name.toLowerCase()),
    )
    .sort((left, right) => left.distance - right.distance);
  return ranked[0]?.name;
}

function isLongPrefix(left: string, right: string): boolean {
  const [shorter, longer] = [Math.min(left.length, right.length), Math.max(left.length, right.length)];
  return shorter >= 4 && longer <= 2 * shorter && (left.startsWith(right) || right.startsWith(left));
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next[j] = Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
