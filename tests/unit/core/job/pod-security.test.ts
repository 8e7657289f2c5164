import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderPodSecurity, withContainerSecurity } from "../../../../src/core/job/pod-security.ts";

const RESTRICTED = { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } };

describe("a pod's security context", () => {
  test("is restricted where nobody says otherwise", () => {
    assert.deepEqual(renderPodSecurity(undefined, undefined), RESTRICTED);
  });

  test("is the task's over the template's over the default, field by field", () => {
    assert.deepEqual(renderPodSecurity({ runAsUser: 2000, fsGroup: 2000 }, { runAsUser: 3000 }), {
      ...RESTRICTED,
      runAsUser: 3000,
      fsGroup: 2000,
    });
  });

  test("allows root to whoever asks for user 0, and still refuses it where that is said", () => {
    assert.equal(renderPodSecurity(undefined, { runAsUser: 0 }).runAsNonRoot, false);
    assert.equal(renderPodSecurity({ runAsUser: 0 }, undefined).runAsNonRoot, false);
    assert.equal(renderPodSecurity({ runAsUser: 0, runAsNonRoot: true }, undefined).runAsNonRoot, true);
    assert.equal(renderPodSecurity({ runAsNonRoot: true }, { runAsUser: 0 }).runAsNonRoot, false);
  });

  test("has no field that only containers have", () => {
    assert.deepEqual(renderPodSecurity(undefined, { privileged: true, capabilities: {}, readOnlyRootFilesystem: true }), RESTRICTED);
  });
});

describe("a container's security context", () => {
  const own = (securityContext?: Record<string, unknown>) => ({ name: "a", ...(securityContext ? { securityContext } : {}) });

  test("is restricted where nobody says otherwise", () => {
    assert.deepEqual(withContainerSecurity(own()).securityContext, {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
  });

  test("takes the task's container fields, and the pod's only where the container has them itself", () => {
    const task = { runAsUser: 3000, readOnlyRootFilesystem: true };
    assert.deepEqual(withContainerSecurity(own({ runAsUser: 2000 }), task).securityContext, {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      runAsUser: 3000,
      readOnlyRootFilesystem: true,
    });
    assert.equal("runAsUser" in (withContainerSecurity(own(), task).securityContext ?? {}), false);
  });

  test("does not forbid the escalation that privileged or SYS_ADMIN imply: the API server refuses that", () => {
    const isForbidden = (context: object) => withContainerSecurity(own({ ...context })).securityContext?.allowPrivilegeEscalation === false;
    const adds = (...add: string[]) => ({ capabilities: { add } });
    for (const context of [{ privileged: true }, adds("CAP_SYS_ADMIN"), adds("ALL"), adds("CHOWN", "SYS_ADMIN")]) {
      assert.equal(isForbidden(context), false, JSON.stringify(context));
    }
    for (const context of [{ privileged: false }, adds(), adds("CHOWN"), adds("NO_SYS_ADMIN"), adds("ALLOW"), { capabilities: {} }]) {
      assert.equal(isForbidden(context), true, JSON.stringify(context));
    }
  });
});
