import { isPassingRefusal } from "../../core/kubernetes/passing-refusal.ts";
import { isDenied, isInvalid, isNotFound, KubeError } from "./kube-error.ts";

/**
 * True when the API server refuses the object itself, so that sending it again is of no use. What each answer to a create counts as:
 *
 * | answer                                                                  | counts as |
 * | 400 BadRequest, 413 RequestEntityTooLarge, 422 Invalid                  | the object is wrong |
 * | a 4xx of an admission webhook or policy that "denied the request"       | the object is wrong |
 * | 403 Forbidden by admission: Pod Security, LimitRange, more than a quota | the object is wrong |
 * | 404 NotFound of the namespace                                           | the object is wrong: its place is gone |
 * | any refusal that passes by itself: `isPassingRefusal`                    | not the object's fault |
 * | 403 Forbidden, `User "x" cannot create resource`                        | not the object's fault: a missing right, or an authorizer that has not heard of it |
 * | 404 of anything else, 405, 406, 409 Conflict, 410, 415                  | not the object's fault |
 * | 401, 429, 5xx (a broken webhook among them), no Status of the server's  | `retryable`: as an API server that is away |
 */
export function isObjectRefused(error: unknown): error is KubeError {
  if (!(error instanceof KubeError) || error.retryable || isPassingRefusal(error.statusMessage)) return false;
  return isInvalid(error) || isDenied(error) || isNamespaceGone(error) || isAdmissionRefusal(error);
}

function isNamespaceGone(error: KubeError): boolean {
  return isNotFound(error) && error.kind === "namespaces";
}

function isAdmissionRefusal({ code, statusMessage }: KubeError): boolean {
  return code === "TH_KUBE_FORBIDDEN" && !isMissingRight(statusMessage);
}

/** k8s.io/apiserver, pkg/endpoints/handlers/responsewriters/errors.go (`forbiddenMessage`). */
function isMissingRight(message: string): boolean {
  return /(?:^| is forbidden: )User "[^"]*" cannot \S+ (?:resource|path) "/.test(message);
}

/** Why, as short as it can be said: reviewers see about a hundred characters of it. */
export function renderRefusal({ causes, statusMessage, message }: KubeError): string {
  const told = causes.filter(({ field }) => field !== "");
  if (told.length > 0) return told.map((cause) => `${cause.field}: ${cause.message}`).join("; ");
  return statusMessage.replace(/^\S+ "[^"]*" is (?:invalid|forbidden): /, "") || message;
}
