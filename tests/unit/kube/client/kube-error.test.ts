import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  explainRefusedPatch,
  isAlreadyExists,
  isConflict,
  isDenied,
  isExpired,
  isInvalid,
  isNotFound,
  isNotToBeSeen,
  isTestFailed,
  parseStatus,
} from "../../../../src/kube/client/kube-error.ts";

const status = (code: number, reason: string, details: object = {}) =>
  parseStatus("create jobs ci/x", code, body(code, { reason, details }));

/** A Status in the API server's own form, but for `changes`. */
function body(code: number, changes: object = {}): object {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: "what happened", code, ...changes };
}

describe("the error of a Status", () => {
  const CASES: [code: number, reason: string, expected: string, retryable: boolean][] = [
    [400, "BadRequest", "TH_KUBE_INVALID", false],
    [401, "Unauthorized", "TH_KUBE_UNAUTHORIZED", true],
    [403, "Forbidden", "TH_KUBE_FORBIDDEN", false],
    [404, "NotFound", "TH_KUBE_NOT_FOUND", false],
    [405, "MethodNotAllowed", "TH_KUBE_REFUSED", false],
    [409, "AlreadyExists", "TH_KUBE_ALREADY_EXISTS", false],
    [409, "Conflict", "TH_KUBE_CONFLICT", false],
    [410, "Expired", "TH_KUBE_EXPIRED", false],
    [413, "RequestEntityTooLarge", "TH_KUBE_INVALID", false],
    [422, "Invalid", "TH_KUBE_INVALID", false],
    [429, "TooManyRequests", "TH_KUBE_BUSY", true],
    [500, "InternalError", "TH_KUBE_SERVER", true],
    [503, "ServiceUnavailable", "TH_KUBE_SERVER", true],
    [504, "Timeout", "TH_KUBE_SERVER", true],
  ];
  for (const [code, reason, expected, retryable] of CASES) {
    it(`is ${expected} for ${code} ${reason}, ${retryable ? "" : "not "}retryable`, () => {
      const error = status(code, reason);
      assert.deepEqual([error.code, error.retryable, error.status, error.reason], [expected, retryable, code, reason]);
      assert.equal(error.message, `create jobs ci/x: what happened (${reason}, ${code})`);
    });
  }

  it("tells 504 ResourceVersionTooLarge from other timeouts: the list must begin anew", () => {
    const tooLarge = status(504, "Timeout", { causes: [{ reason: "ResourceVersionTooLarge" }] });
    assert.deepEqual([isExpired(tooLarge), tooLarge.retryable], [true, true]);
    assert.equal(isExpired(status(504, "Timeout")), false);
  });

  it("answers the questions callers ask", () => {
    assert.equal(isNotFound(status(404, "NotFound")), true);
    assert.equal(isAlreadyExists(status(409, "AlreadyExists")), true);
    assert.equal(isAlreadyExists(status(409, "Conflict")), false);
    assert.equal(isConflict(status(409, "AlreadyExists")), false);
    assert.equal(isInvalid(status(422, "Invalid")), true);
    for (const ask of [isNotFound, isAlreadyExists, isConflict, isInvalid, isExpired, isTestFailed])
      assert.equal(ask(new Error("other")), false);
  });

  it("is a failed test of a JSON patch for a 422 that names no cause and no webhook", () => {
    const refusal = (code: number, message: string, details: object = {}) =>
      explainRefusedPatch(
        parseStatus("patch jobs ci/x", code, body(code, { reason: code === 400 ? "BadRequest" : "Invalid", message, details })),
      );
    const generic = "the server rejected our request due to an error in our request";
    const failed = refusal(422, generic);
    assert.ok(isTestFailed(failed) && !isInvalid(failed));
    assert.match((failed as Error).message, /^patch jobs ci\/x: .*not as this patch tests/);
    for (const other of [refusal(400, generic), refusal(422, generic, { causes: [{ field: "spec.size" }] })]) {
      assert.ok(isInvalid(other) && !isTestFailed(other));
    }
    const denied = refusal(422, 'admission webhook "guard.example" denied the request: no');
    assert.ok(isDenied(denied) && !isTestFailed(denied));
    const page = parseStatus("patch jobs ci/x", 422, "<html>");
    assert.equal(explainRefusedPatch(page), page);
    const unrelated = new Error("other");
    assert.equal(explainRefusedPatch(unrelated), unrelated);
  });

  it("takes the time to wait from the header, else from the details, and nothing that is no time", () => {
    const wait = (header: string | undefined, details: object) => parseStatus("x", 429, { message: "m", details }, header).retryAfterMs;
    assert.equal(wait("3", { retryAfterSeconds: 9 }), 3_000);
    assert.equal(wait(undefined, { retryAfterSeconds: 9 }), 9_000);
    assert.equal(wait("Wed, 21 Oct 2015 07:28:00 GMT", {}), undefined);
    assert.equal(wait("-1", { retryAfterSeconds: "9" }), undefined);
  });

  const NOT_ITS_OWN: [string, number, unknown][] = [
    ["a page of 404", 404, "<html><h1>404 Not Found</h1>"],
    ["a page of 403", 403, "<html>Access denied by the gateway"],
    ["a page of 400", 400, "Client sent an HTTP request to an HTTPS server."],
    ["a page of 409", 409, "<html>"],
    ["a page of 410", 410, "<html>"],
    ["a page of 422", 422, "<html>"],
    ["a gateway's JSON", 404, { error: "not_found", reason: "NotFound", code: 404 }],
    ["another kind", 404, body(404, { kind: "Error", reason: "NotFound" })],
    ["another version", 404, body(404, { apiVersion: "v2", reason: "NotFound" })],
    ["a success", 404, body(404, { status: "Success", reason: "NotFound" })],
    ["the code of another answer", 404, body(403, { reason: "Forbidden" })],
    ["a reason of another code", 403, body(403, { reason: "NotFound" })],
    ["no reason", 422, body(422)],
    ["nothing at all", 404, ""],
  ];
  for (const [what, code, said] of NOT_ITS_OWN) {
    it(`is no refusal for ${code} with ${what}: the API server has not spoken`, () => {
      const error = parseStatus("get jobs ci/x", code, said);
      assert.deepEqual([error.code, error.retryable, error.status], ["TH_KUBE_PROTOCOL", true, code]);
      for (const ask of [isNotFound, isAlreadyExists, isConflict, isInvalid, isExpired, isDenied, isNotToBeSeen])
        assert.equal(ask(error), false, ask.name);
    });
  }

  it("is a denial whatever code and reason a webhook or a policy gives, but for passing ones", () => {
    const webhook = 'admission webhook "policy.example" denied the request: no latest tags';
    const policy = `jobs.batch "x" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`;
    for (const [code, reason, message] of [
      [400, "", webhook],
      [403, "no latest tags", webhook],
      [404, "NotFound", webhook],
      [409, "Conflict", webhook],
      [401, "Unauthorized", policy],
      [422, "Invalid", policy],
    ] as const) {
      const error = parseStatus("create jobs ci/x", code, body(code, { reason, message }));
      assert.deepEqual([isDenied(error), error.retryable], [true, false], `${code}`);
    }
    for (const code of [429, 500, 503])
      assert.equal(parseStatus("x", code, body(code, { reason: "", message: webhook })).retryable, true, `${code}`);
  });

  it("says what the API server's own page for unknown paths means", () => {
    const error = parseStatus("list testtasks", 404, "404 page not found\n");
    assert.equal(error.retryable, true);
    assert.match(error.message, /^list testtasks: .*404 page not found; .*is its CustomResourceDefinition installed\? \(404\)$/);
  });

  it("lists the causes with their fields", () => {
    const cause = { reason: "FieldValueRequired", message: "Required value", field: "spec.template" };
    assert.deepEqual(status(422, "Invalid", { causes: [cause, null, 5] }).causes, [cause, EMPTY, EMPTY]);
  });
  const EMPTY = { reason: "", message: "", field: "" };

  it("quotes the first words of an answer that is no Status", () => {
    const page = parseStatus("list jobs", 502, `<html>\n  <h1>Bad Gateway</h1>${"x".repeat(1_000)}`);
    assert.ok(page.message.startsWith("list jobs: the answer was no Kubernetes status: <html> <h1>Bad Gateway</h1>"));
    assert.ok(page.message.length < 300);
    for (const body of ["", null, [], 7, { message: {} }]) assert.equal(parseStatus("x", 500, body).code, "TH_KUBE_SERVER");
  });
});
