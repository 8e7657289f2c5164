/** The words of the kubelet's eviction manager (pkg/kubelet/eviction/helpers.go) for the three limits that are a pod's own. */
const OWN_LIMIT =
  /(?:exceeds the total limit of containers|exceeded its local ephemeral storage limit|^Usage of EmptyDir volume "[^"]*" exceeds the limit) "?(?<limit>[0-9]+(?:[.][0-9]+)?[a-zA-Z]*)/;

/** The result of a pod that was evicted with this message; undefined when that was for its node's sake. */
export function ownDiskLimit(message: string): string | undefined {
  const limit = OWN_LIMIT.exec(message)?.groups?.limit;
  return limit === undefined ? undefined : `FAILURE - out of disk (limit ${limit})`;
}
