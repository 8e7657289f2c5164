import type { Container, PodSpec } from "../kubernetes/objects.ts";
import type { TestTaskSecurityContext } from "../test-task/schema/security.ts";

/** Fields that only a container's security context has; the others are the pod's, which its containers inherit. */
const CONTAINER_FIELDS = ["allowPrivilegeEscalation", "capabilities", "privileged", "readOnlyRootFilesystem"] as const;

/** Who chooses the user and the groups of builds where neither task nor template does: this program, or the cluster, as OpenShift's SCCs do. */
export type PodUser = "fixed" | "cluster";

const FIXED_USER = { runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 };

type SecurityContext = Record<string, unknown>;

/**
 * The pod's security context: the task's over the template's over the restricted default. Who asks for root (`runAsUser: 0`) need not say
 * `runAsNonRoot: false` as well.
 */
export function renderPodSecurity(
  template: PodSpec["securityContext"],
  task: TestTaskSecurityContext | undefined,
  user: PodUser = "fixed",
): SecurityContext {
  const asked = withRootAllowed({ ...withRootAllowed(template ?? {}), ...withRootAllowed(podFields(task)) });
  return {
    runAsNonRoot: true,
    ...(user === "fixed" ? FIXED_USER : {}),
    seccompProfile: { type: "RuntimeDefault" },
    ...asked,
  };
}

/** A container with the restricted Pod Security Standard where neither it nor the task says otherwise; the task has the last word. */
export function withContainerSecurity(container: Container, task?: TestTaskSecurityContext): Container {
  const own = container.securityContext ?? {};
  const fields = Object.entries(task ?? {}).filter(([field]) => isContainerField(field) || field in own);
  const asked = withRootAllowed({ ...own, ...Object.fromEntries(fields) });
  return {
    ...container,
    securityContext: {
      // The API server refuses to forbid what these imply.
      ...(isPrivileged(asked) ? {} : { allowPrivilegeEscalation: false }),
      capabilities: { drop: ["ALL"] },
      ...asked,
    },
  };
}

function podFields(task: TestTaskSecurityContext | undefined): SecurityContext {
  return Object.fromEntries(Object.entries(task ?? {}).filter(([field]) => !isContainerField(field)));
}

function isContainerField(field: string): boolean {
  return (CONTAINER_FIELDS as readonly string[]).includes(field);
}

function withRootAllowed(context: SecurityContext): SecurityContext {
  return context.runAsUser === 0 && context.runAsNonRoot === undefined ? { ...context, runAsNonRoot: false } : context;
}

function isPrivileged({ privileged, capabilities }: SecurityContext): boolean {
  const added = (capabilities as { add?: unknown } | undefined)?.add;
  return privileged === true || (Array.isArray(added) && added.some((name) => /^(CAP_)?(SYS_ADMIN|ALL)$/i.test(String(name))));
}
