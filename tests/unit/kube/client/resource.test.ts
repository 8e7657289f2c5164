import assert from "node:assert/strict";
import { it } from "node:test";
import { JOBS, PODS, renderPath, renderRbacResource, TEST_TASKS } from "../../../../src/kube/client/resource.ts";

it("a path has the group only where there is one, and place, name and subresource where given", () => {
  assert.equal(renderPath(PODS), "/api/v1/pods");
  assert.equal(renderPath(JOBS, { namespace: "ci" }), "/apis/batch/v1/namespaces/ci/jobs");
  assert.equal(
    renderPath(TEST_TASKS, { namespace: "ci", name: "a", subresource: "status" }),
    "/apis/turbo-hipster.io/v1alpha1/namespaces/ci/testtasks/a/status",
  );
});

it("a name is one segment, whatever it holds", () => {
  assert.equal(renderPath(PODS, { namespace: "a/b", name: "../x?y#z%" }), "/api/v1/namespaces/a%2Fb/pods/..%2Fx%3Fy%23z%25");
  for (const name of ["", ".", ".."]) {
    assert.throws(() => renderPath(PODS, { name }), { code: "TH_KUBE_NAME" });
    assert.throws(() => renderPath(PODS, { namespace: name }), { code: "TH_KUBE_NAME" });
  }
});

it("a resource is named as in RBAC rules", () => {
  assert.equal(renderRbacResource(JOBS), "jobs");
  assert.equal(renderRbacResource(PODS, "log"), "pods/log");
});
