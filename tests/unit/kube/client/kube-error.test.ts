import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  explainRefusedPatch,
  isAlreadyExists,
  isConflict,
  isExpired,
  isInvalid,
  isNotFound,
  isTestFailed,
  parseStatus,
} from "../../../../src/kube/client/kube-error.ts";

const status = (code: number, reason: string, details: object = {}) =>
  parseStatus("create jobs ci/x", code, { kind: "Status", code, reason, message: `what happened`, details });

describe("the error of a Status", () => {
  const CASES: [code: number, reason: string, expected: string, retryable: boolean][] = [
    [400, "BadRequest", "TH_KUBE_INVALID", false],
    [401, "Unauthorized", "TH_KUBE_UNAUTHORIZED", false],
    [403, "Forbidden", "TH_KUBE_FORBIDDEN", false],
    [404, "NotFound", "TH_KUBE_NOT_FOUND", false],
    [405, "MethodNotAllowed", "TH_KUBE_REFUSED", false],
    [409, "AlreadyExists", "TH_KUBE_ALREADY_EXISTS", false],
    [409, "Conflict", "TH_KUBE_CONFLICT", false],
    [410, "Expired", "TH_KUBE_EXPIRED", false],
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
    assert.equal(isExpired(status(504, "Timeout", { causes: [{ reason: "ResourceVersionTooLarge" }] })), true);
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
      explainRefusedPatch(parseStatus("patch jobs ci/x", code, { code, reason: "Invalid", message, details }));
    const generic = "the server rejected our request due to an error in our request";
    const failed = refusal(422, generic);
    assert.ok(isTestFailed(failed) && !isInvalid(failed));
    assert.match((failed as Error).message, /^patch jobs ci\/x: .*not as this patch tests/);
    for (const other of [
      refusal(400, generic),
      refusal(422, generic, { causes: [{ field: "spec.size" }] }),
      refusal(422, 'admission webhook "guard.example" denied the request: no'),
    ]) {
      assert.ok(isInvalid(other) && !isTestFailed(other));
    }
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
