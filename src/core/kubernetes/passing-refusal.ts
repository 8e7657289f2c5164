/**
 * Refusals that the API server words like any other ("is forbidden: ...") and that pass by themselves: it does not know enough yet, or no
 * more. The words are those of k8s.io/apiserver 0.36 and k8s.io/kubernetes 1.36, in the file named with each.
 */
const PASSING: readonly RegExp[] = [
  // All plugins that read from a cache, after a start of the API server (`WaitForReady`).
  /not yet ready to handle request/,
  // pkg/admission/plugin/resourcequota/controller.go: a quota that nobody has counted yet.
  /status unknown for quota: /,
  // pkg/admission/plugin/namespace/lifecycle/admission.go. Soon it says that there is no such namespace.
  /because it is being terminated/,
  // plugin/pkg/admission/limitranger/admission.go
  /at this time because there was an error enforcing limit ranges/,
  // pkg/admission/plugin/policy/validating/dispatcher.go: the parameters of a policy can't be read, or the policy is being changed.
  /denied request: failed to configure (?:policy|binding): /,
];

/** True for a refusal that says nothing of the object: sent again a little later, it may well be taken. */
export function isPassingRefusal(message: string): boolean {
  return PASSING.some((words) => words.test(message));
}
