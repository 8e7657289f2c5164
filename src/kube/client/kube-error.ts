import { TurboHipsterError } from "../../runtime/errors.ts";

type KubeErrorCode =
  | "TH_KUBE_NOT_FOUND"
  | "TH_KUBE_ALREADY_EXISTS"
  | "TH_KUBE_CONFLICT"
  | "TH_KUBE_INVALID"
  | "TH_KUBE_TEST_FAILED"
  | "TH_KUBE_DENIED"
  | "TH_KUBE_UNAUTHORIZED"
  | "TH_KUBE_FORBIDDEN"
  | "TH_KUBE_EXPIRED"
  | "TH_KUBE_BUSY"
  | "TH_KUBE_REFUSED"
  | "TH_KUBE_SERVER"
  | "TH_KUBE_NETWORK"
  | "TH_KUBE_TLS"
  | "TH_KUBE_TIMEOUT"
  | "TH_KUBE_CREDENTIALS"
  | "TH_KUBE_PROTOCOL"
  | "TH_KUBE_CLOSED";

interface KubeErrorOptions {
  status?: number;
  reason?: string;
  statusMessage?: string;
  retryable?: boolean;
  retryAfterMs?: number | undefined;
  causes?: readonly KubeErrorCause[];
  /** What kind of object the refusal is about, as a plural: `jobs`, `namespaces`. */
  kind?: string;
  cause?: unknown;
}

/** One entry of a Status' `details.causes`. */
interface KubeErrorCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/**
 * What a call to the API server came to. `status` is the HTTP status, 0 where there was no answer; `reason` is the Status object's
 * (`AlreadyExists`, `Invalid`, ...) or "". `retryable` is true for 401, 429, 5xx, lost connections, timeouts, and whatever the API server
 * did not say itself, such as a proxy's page; `retryAfterMs` is what the server asked for.
 */
export class KubeError extends TurboHipsterError {
  declare readonly code: KubeErrorCode;
  readonly status: number;
  readonly reason: string;
  /** The server's own words, without the call's place; "" where there were none. */
  readonly statusMessage: string;
  readonly retryAfterMs: number | undefined;
  readonly causes: readonly KubeErrorCause[];
  /** Of the Status' `details`: what kind of object it is about, "" where it does not say. */
  readonly kind: string;

  constructor(code: KubeErrorCode, message: string, options: KubeErrorOptions = {}) {
    super(code, message, { cause: options.cause, retryable: options.retryable ?? false });
    this.status = options.status ?? 0;
    this.reason = options.reason ?? "";
    this.statusMessage = options.statusMessage ?? "";
    this.retryAfterMs = options.retryAfterMs;
    this.causes = options.causes ?? [];
    this.kind = options.kind ?? "";
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.code === "TH_KUBE_NOT_FOUND";
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof KubeError && error.code === "TH_KUBE_ALREADY_EXISTS";
}

/** A write against an older resourceVersion, or a delete whose uid is not the stored object's. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.code === "TH_KUBE_CONFLICT";
}

/** The object itself is wrong (422, 400 for what can't even be read, 413 for what is too large): sending it again is of no use. */
export function isInvalid(error: unknown): boolean {
  return error instanceof KubeError && error.code === "TH_KUBE_INVALID";
}

/**
 * A JSON patch was not applied because a `test` in it failed. A missing parent, or a missing key to remove, looks the same: the server does
 * not tell. So does a patch that is sent again after its answer was lost, if it changes what it tests: compare with the stored object.
 */
export function isTestFailed(error: unknown): boolean {
  return error instanceof KubeError && error.code === "TH_KUBE_TEST_FAILED";
}

/** A patch names the uid that it is for, and the object of that name has another (ValidateObjectMetaAccessorUpdate of k8s.io/apimachinery). */
export function isOtherUid(error: unknown): boolean {
  return isInvalid(error) && (error as KubeError).causes.some(({ field }) => field === "metadata.uid");
}

/** A right is missing, or an authorizer has not heard of it. */
export function isForbidden(error: unknown): boolean {
  return error instanceof KubeError && error.code === "TH_KUBE_FORBIDDEN";
}

/** Who asks may not: its login is worth nothing (any more), or it has no right. Either may pass, see `PASSING` and `isForbidden`. */
export function isLockedOut(error: unknown): boolean {
  return isForbidden(error) || (error instanceof KubeError && error.code === "TH_KUBE_UNAUTHORIZED");
}

/** The objects may not be seen, or there is no such namespace: as a rule no trouble that passes by itself. */
export function isNotToBeSeen(error: unknown): boolean {
  return error instanceof KubeError && (error.code === "TH_KUBE_FORBIDDEN" || error.code === "TH_KUBE_NOT_FOUND");
}

/** The list or watch must begin anew: its resourceVersion or continue token is compacted away, or ahead of what this server knows. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubeError && error.code === "TH_KUBE_EXPIRED";
}

/** An admission webhook or policy has said no, and will again. */
export function isDenied(error: unknown): boolean {
  return error instanceof KubeError && error.code === "TH_KUBE_DENIED";
}

/**
 * Turns an unsuccessful answer into an error. `body` is the parsed Status object of the answer or of a watch's ERROR event, or the raw
 * text where it was none (a proxy's page). `place` says which call it was: `create jobs ci/x`. A refusal (4xx) counts as one only in the
 * API server's own form: whatever stands between may say 403 or 404 as well, and knows nothing of the object.
 */
export function parseStatus(place: string, status: number, body: unknown, retryAfterHeader?: string): KubeError {
  const { reason, message, retryAfterSeconds, causes, kind } = readStatusObject(body);
  const text = message || explainPage(status, body);
  const retryAfterMs = parseRetryAfterMs(retryAfterHeader) ?? (retryAfterSeconds === undefined ? undefined : retryAfterSeconds * 1000);
  const code = isOfApiServer(status, body) ? codeOf(status, { reason, message, causes }) : "TH_KUBE_PROTOCOL";
  return new KubeError(code, `${place}: ${text} (${reason === "" ? status : `${reason}, ${status}`})`, {
    ...{ status, reason, statusMessage: message, causes, kind, retryAfterMs },
    retryable: status >= 500 || PASSING.has(code),
  });
}

/**
 * 401 is among them: a login is refused too where it can't be looked up, as while etcd is away. Whose login is really worth nothing can
 * do nothing else either, and loses the Lease.
 */
const PASSING: ReadonlySet<KubeErrorCode> = new Set(["TH_KUBE_UNAUTHORIZED", "TH_KUBE_BUSY", "TH_KUBE_PROTOCOL"]);

/** The reasons of each refusal that a client may meet (k8s.io/apimachinery, meta/v1 `StatusReason`, with the codes of api/errors). */
const REASONS: Readonly<Record<number, readonly string[]>> = {
  400: ["BadRequest"],
  401: ["Unauthorized"],
  403: ["Forbidden"],
  404: ["NotFound"],
  405: ["MethodNotAllowed"],
  406: ["NotAcceptable"],
  409: ["AlreadyExists", "Conflict"],
  410: ["Expired", "Gone"],
  413: ["RequestEntityTooLarge"],
  415: ["UnsupportedMediaType"],
  422: ["Invalid"],
};

/** 429 and 5xx are passing trouble, whoever says so; the API server itself says 429 in plain text. */
function isOfApiServer(status: number, body: unknown): boolean {
  if (status === 429 || status >= 500) return true;
  const { kind, apiVersion, status: outcome, code, reason, message } = asRecord(body);
  if (kind !== "Status" || apiVersion !== "v1" || outcome !== "Failure" || code !== status) return false;
  // A webhook gives any code and reason that it likes.
  return isDenial(asText(message)) || (REASONS[status]?.includes(asText(reason)) ?? false);
}

/**
 * The words of k8s.io/apiserver's pkg/admission/plugin: webhook/errors (`ToStatusErr`) and policy/validating (dispatcher.go), which says the
 * same while the policy's own parameters can't be read yet.
 */
function isDenial(message: string): boolean {
  if (/^admission webhook "[^"]*" denied the request/.test(message)) return true;
  return /ValidatingAdmissionPolicy '[^']*'(?: with binding '[^']*')? denied request: (?!failed to configure )/.test(message);
}

/**
 * What the API server's refusal of a JSON patch with a `test` in it means. kube-apiserver 1.36 has one answer for every patch that can't
 * be applied: 422 Invalid, "the server rejected our request due to an error in our request", with no causes. An object that is invalid
 * once patched has causes; a webhook or a policy says that it denied the request.
 */
export function explainRefusedPatch(thrown: unknown): unknown {
  if (!(thrown instanceof KubeError) || !isInvalid(thrown) || thrown.status !== 422 || thrown.causes.length > 0) return thrown;
  const { status, reason, statusMessage } = thrown;
  const message = `${thrown.message}: it is not as this patch tests, or lacks what it changes`;
  return new KubeError("TH_KUBE_TEST_FAILED", message, { status, reason, statusMessage, cause: thrown });
}

interface StatusWords {
  reason: string;
  message: string;
  causes: readonly KubeErrorCause[];
}

function codeOf(status: number, { reason, message, causes }: StatusWords): KubeErrorCode {
  if (status < 500 && status !== 429 && isDenial(message)) return "TH_KUBE_DENIED";
  if (status === 409) return reason === "AlreadyExists" ? "TH_KUBE_ALREADY_EXISTS" : "TH_KUBE_CONFLICT";
  if (status === 410) return "TH_KUBE_EXPIRED";
  if (status === 504 && causes.some((cause) => cause.reason === "ResourceVersionTooLarge")) return "TH_KUBE_EXPIRED";
  if (status >= 500) return "TH_KUBE_SERVER";
  return CODES[status] ?? "TH_KUBE_REFUSED";
}

const CODES: Record<number, KubeErrorCode> = {
  400: "TH_KUBE_INVALID",
  401: "TH_KUBE_UNAUTHORIZED",
  403: "TH_KUBE_FORBIDDEN",
  404: "TH_KUBE_NOT_FOUND",
  413: "TH_KUBE_INVALID",
  422: "TH_KUBE_INVALID",
  429: "TH_KUBE_BUSY",
};

function readStatusObject(body: unknown) {
  const status = asRecord(body);
  const details = asRecord(status.details);
  const retryAfter = details.retryAfterSeconds;
  return {
    reason: asText(status.reason),
    message: asText(status.message),
    kind: asText(details.kind),
    retryAfterSeconds: typeof retryAfter === "number" && retryAfter > 0 ? retryAfter : undefined,
    causes: (Array.isArray(details.causes) ? details.causes : []).map((entry: unknown) => {
      const cause = asRecord(entry);
      return { reason: asText(cause.reason), message: asText(cause.message), field: asText(cause.field) };
    }),
  };
}

/** Seconds only: the API server sends no dates here. */
function parseRetryAfterMs(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header.trim()) ? Number(header) * 1000 : undefined;
}

/** The API server has this page for paths that it knows nothing of, be it a group or a resource. */
const NO_SUCH_PATH = /^404 page not found\s*$/;

function explainPage(status: number, body: unknown): string {
  const said = `the answer was no Kubernetes status: ${firstWords(body)}`;
  if (status !== 404 || typeof body !== "string" || !NO_SUCH_PATH.test(body)) return said;
  return `${said}; there is no such resource, or not yet: is its CustomResourceDefinition installed?`;
}

function firstWords(body: unknown): string {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return text.slice(0, 200).replaceAll(/\s+/g, " ").trim() || "an empty body";
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}
