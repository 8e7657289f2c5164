import { isInvalid, isNotFound, KubeError } from "./kube-error.ts";

/** True when the API server refuses the object itself: as invalid, as naming what is not there, or by an admission plugin or policy. */
export function isObjectRefused(error: unknown): error is KubeError {
  if (!(error instanceof KubeError) || error.retryable) return false;
  return isInvalid(error) || isNotFound(error) || isAdmissionRefusal(error);
}

/** An admission plugin or policy said no; without the verb, which is how a missing right reads (`cannot create resource`). */
function isAdmissionRefusal(error: KubeError): boolean {
  return error.code === "TH_KUBE_FORBIDDEN" && !error.message.includes("cannot create resource");
}

/** Why, as short as it can be said: reviewers see about a hundred characters of it. */
export function renderRefusal({ causes, statusMessage, message }: KubeError): string {
  if (causes.length > 0) return causes.map((cause) => `${cause.field}: ${cause.message}`).join("; ");
  return statusMessage.replace(/^\S+ "[^"]*" is (?:invalid|forbidden): /, "") || message;
}
