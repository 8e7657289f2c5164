/** What is about users and groups of a pod, in the words of security context constraints and of policies. */
const USERS = /\b(?:runAsUser|runAsGroup|fsGroup|supplementalGroups)\b/;
/** k8s.io/apiserver, pkg/admission/plugin/resourcequota/controller.go: a quota on limits or requests wants them of every container. */
const MUST_SPECIFY = /\bmust specify (?:limits|requests)\./;

/** What whoever keeps a TestTask can do about a refusal of its pods; undefined where that is not known, or the words say it. */
export function refusalRemedy(message: string): string | undefined {
  if (MUST_SPECIFY.test(message)) return "give the task `resources`, and each of its services; the checkout has those of the test";
  // Pod Security says itself what must not be set.
  if (USERS.test(message) && !/\bviolates PodSecurity\b/.test(message)) {
    return "`podUser: cluster` in the operator's configuration leaves users and groups to the cluster, and `securityContext` names others";
  }
  return undefined;
}
