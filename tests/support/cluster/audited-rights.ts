import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/** What a Role or ClusterRole grants: `verb group/resource`, or with a subresource `verb group/resource/subresource`. */
export function grantedRights({ rules }: { rules: PolicyRule[] }): Set<string> {
  return new Set(
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`))),
    ),
  );
}

/** An entry of an audit log, https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Event */
interface AuditEvent {
  verb: string;
  user: { username: string };
  objectRef?: { apiGroup?: string; resource: string; subresource?: string; namespace?: string; name?: string };
  responseStatus?: { code?: number };
}

/** What a user has asked of the API server by its audit log: the rights that it needed, and what was forbidden; of resources alone. */
export async function auditedRights(auditLog: string, user: string): Promise<{ used: Set<string>; refused: string[] }> {
  const used = new Set<string>();
  const refused: string[] = [];
  for await (const line of createInterface({ input: createReadStream(auditLog) })) {
    // The API server may be in the middle of the last one.
    if (!line.endsWith("}") || !line.includes(user)) continue;
    const { verb, user: who, objectRef, responseStatus }: AuditEvent = JSON.parse(line);
    if (who.username !== user || !objectRef) continue;
    const { apiGroup = "", resource, subresource, namespace = "", name = "" } = objectRef;
    const right = `${verb} ${apiGroup}/${resource}${subresource === undefined ? "" : `/${subresource}`}`;
    if (responseStatus?.code === 403) refused.push(`${right} ${namespace}/${name}`);
    else used.add(right);
  }
  return { used, refused };
}
