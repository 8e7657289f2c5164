/** One that tells older from newer. */
export function isOrdered(version: string): boolean {
  return /^[1-9]\d*$/.test(version);
}

/**
 * Negative, 0 or positive as `a` is older, the same or newer than `b`; undefined where that can't be told. Kubernetes promises that they
 * are decimal numbers and grow within one resource (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions);
 * they may be larger than a JavaScript number holds.
 */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (!isOrdered(a) || !isOrdered(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}
