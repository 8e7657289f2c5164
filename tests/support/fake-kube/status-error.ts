/** A failure as the API server words it: it becomes the answer's Status object. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Record<string, unknown>;

  constructor(code: number, reason: string, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): object {
    const { code, reason, message, details } = this;
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, details, code };
  }
}

export function notFound(qualified: string, name: string): StatusError {
  const [kind, ...group] = qualified.split(".");
  return new StatusError(404, "NotFound", `${qualified} "${name}" not found`, {
    name,
    kind,
    ...(group.length > 0 ? { group: group.join(".") } : {}),
  });
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, "BadRequest", message);
}

export function conflict(qualified: string, name: string, why: string): StatusError {
  return new StatusError(409, "Conflict", `Operation cannot be fulfilled on ${qualified} "${name}": ${why}`, { name });
}

export interface FieldProblem {
  readonly field: string;
  readonly reason: "FieldValueRequired" | "FieldValueInvalid" | "FieldValueForbidden";
  readonly message: string;
}

export function invalid(qualified: string, name: string, problems: readonly FieldProblem[]): StatusError {
  const text = problems.map((problem) => `${problem.field}: ${problem.message}`).join(", ");
  return new StatusError(422, "Invalid", `${qualified} "${name}" is invalid: ${text}`, { name, causes: problems });
}

export function expired(): StatusError {
  return new StatusError(410, "Expired", "The resourceVersion for the provided watch or list is too old.");
}

export function versionTooLarge(wanted: string, current: number): StatusError {
  return new StatusError(504, "Timeout", `Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}
