import * as z from "zod";
import { type RightQuestion, renderRight } from "../../core/kubernetes/needed-rights.ts";
import type { KubeObject } from "../../core/kubernetes/objects.ts";
import type { Lease } from "../../core/replicas/leadership.ts";
import { listed } from "../../core/report/listed.ts";
import { REASONS } from "../../core/task-status/conditions.ts";
import type { DefinitionDifference } from "../../core/test-task/definition-difference.ts";
import { readStoredTask } from "../../core/test-task/invalid-task.ts";
import type { TestTaskConditionType } from "../../core/test-task/schema/status.ts";
import { testTaskKey } from "../../core/test-task/test-task.ts";
import { type Finding, failed, ok, renderPlaces, unseen, warning } from "./finding.ts";

/** What the API server said to one question; undefined: it did not say. */
export interface RightAnswer {
  readonly question: RightQuestion;
  readonly isAllowed: boolean | undefined;
}

const OPERATOR_POD = "kubectl exec deployment/turbo-hipster -- turbo-hipster doctor";

/** `user`: as whom the API server knows who asks; undefined where it does not tell. */
export function renderAccess(server: string, user: string | undefined): Finding {
  const what = "API server";
  if (user === undefined) return ok(what, `${server} answers`);
  if (user.startsWith("system:serviceaccount:")) return ok(what, `${server} answers ${user}`);
  const remedy = `run it in the operator's pod for the rights and ways that count: ${OPERATOR_POD}`;
  return warning(what, `${server} answers ${user}, which is no ServiceAccount: the rights below are not the operator's`, remedy);
}

/** A line for each place: the namespaces as they come, then the cluster as a whole. */
export function renderRights(answers: readonly RightAnswer[]): Finding[] {
  const places = [...new Set(answers.map(({ question }) => question.namespace))];
  return places.map((namespace) => {
    const here = answers.filter(({ question }) => question.namespace === namespace);
    return renderPlaceRights(namespace === undefined ? "rights, cluster" : `rights in ${namespace}`, namespace, here);
  });
}

function renderPlaceRights(what: string, namespace: string | undefined, answers: readonly RightAnswer[]): Finding {
  const refused = answers.filter(({ isAllowed }) => isAllowed === false);
  const needed = refused.filter(({ question }) => question.right.lost === undefined);
  const words = (of: readonly RightAnswer[]) => listed(of.map(({ question }) => renderRight(question)));
  const kind = namespace === undefined ? "ClusterRole" : "Role";
  const remedy = `grant it by a ${kind}, as the chart does with rbac.create: its README, What the operator may do, lists all of them`;
  if (needed.length > 0) return failed(what, `may not ${words(needed)}`, remedy);
  if (refused.length > 0) {
    const lost = [...new Set(refused.flatMap(({ question }) => question.right.lost ?? []))].join("; ");
    return warning(what, `may not ${words(refused)}: ${lost}`, remedy);
  }
  const unknown = answers.filter(({ isAllowed }) => isAllowed === undefined);
  if (unknown.length > 0) return unseen(what, `the API server does not say whether it may ${words(unknown)}`);
  return ok(what, `all that the operator needs, asked verb by verb (${answers.length})`);
}

const DEFINITION = "TestTask definition";
const CRD_REMEDY = "kubectl apply --server-side -f crds/ of this version, or upgrade the chart's release that has crds.install";

/** undefined: the API server knows no TestTasks. */
export function renderDefinition(difference: DefinitionDifference | undefined, version: string): Finding {
  if (difference === undefined) return failed(DEFINITION, "the API server knows no TestTasks", CRD_REMEDY);
  const { lacking, foreign, hasOtherRules } = difference;
  if (lacking.length > 0) {
    const others = foreign.length > 0 ? `, and has ${listed(foreign)}, which it does not` : "";
    return failed(DEFINITION, `is of another version: it lacks ${listed(lacking)}, which ${version} knows${others}`, CRD_REMEDY);
  }
  if (foreign.length > 0) {
    return warning(DEFINITION, `is of a newer version: ${version} knows no ${listed(foreign)}`, "upgrade the operator, too");
  }
  if (hasOtherRules) return warning(DEFINITION, `has the fields of ${version}, but other rules`, CRD_REMEDY);
  return ok(DEFINITION, `has the fields and rules of ${version}`);
}

/** Who takes builds; undefined: there is no such Lease. `isRenewed`: whether it was written while one looked, for as long as it lasts. */
export function renderHolder(lease: Lease | undefined, isRenewed: boolean, installation: string): Finding {
  const what = "replica that takes builds";
  const holder = lease?.spec?.holderIdentity;
  const remedy = "is the operator running? kubectl get pods; its log says what it waits for";
  if (!holder) return failed(what, `nobody holds the Lease ${installation}`, remedy);
  if (!isRenewed) return failed(what, `${holder} stands in the Lease ${installation}, and does not renew it`, remedy);
  return ok(what, `${holder} holds the Lease ${installation}`);
}

/** A line for each TestTask that is not well, and one for those that are. */
export function renderTasks(objects: readonly KubeObject[], namespaces: readonly string[] | undefined): Finding[] {
  if (objects.length === 0) {
    const says = `there are none in ${renderPlaces(namespaces)}`;
    return [warning("TestTasks", says, "apply one: docs/testtask.md; namespaces are those of the configuration")];
  }
  const findings = objects.map(renderTask);
  const troubles = findings.filter(({ state }) => state !== "ok");
  const well = findings.length - troubles.length;
  const sum = well === 0 ? [] : [ok("TestTasks", `${well} of ${findings.length} are accepted, and ready or suspended`)];
  const shown = troubles.slice(0, MAX_TASKS);
  const rest = troubles.slice(MAX_TASKS);
  const state = rest.some((each) => each.state === "failed") ? failed : warning;
  const more = rest.length === 0 ? [] : [state("TestTasks", `${rest.length} more are not well`, "kubectl get testtasks --all-namespaces")];
  return [...sum, ...shown, ...more];
}

const MAX_TASKS = 20;

/** What is read of a status; an operator of another version may have written more. */
const statusSchema = z.object({
  observedGeneration: z.number().optional(),
  conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() })).optional(),
});

function renderTask(object: KubeObject): Finding {
  const stored = readStoredTask(object);
  const what = `TestTask ${testTaskKey(stored.task)}`;
  const edit = `kubectl edit testtask -n ${stored.task.metadata.namespace} ${stored.task.metadata.name}`;
  if (!stored.isValid) return failed(what, `is invalid: ${listed(stored.task.problems, "; ")}`, `mend the field: ${edit}`);
  const status = statusSchema.safeParse((object as { status?: unknown }).status).data;
  const conditions = status?.conditions ?? [];
  const of = (type: TestTaskConditionType) => conditions.find((condition) => condition.type === type);
  const [ready, template, degraded] = [of("Ready"), of("TemplateValid"), of("Degraded")];
  const { generation } = stored.task.metadata;
  if (ready === undefined || (generation !== undefined && (status?.observedGeneration ?? 0) < generation)) {
    return warning(what, "the operator has not looked at it, as it is now", "is the operator running, and does it serve this namespace?");
  }
  if (ready.reason === REASONS.suspended) return ok(what, "is suspended");
  if (ready.status === "False") return failed(what, `${ready.reason}: ${ready.message}`, remedyOf(ready.reason, edit));
  if (degraded?.status === "True") {
    return warning(what, `${degraded.reason}: ${degraded.message}`, "its last builds tell why: turbo-hipster explain NUMBER");
  }
  if (template?.reason === REASONS.acceptedWithWarnings)
    return warning(what, template.message, `heed what the API server warns of: ${edit}`);
  if (ready.status === "Unknown") return warning(what, `${ready.reason}: ${ready.message}`, "look again in a minute");
  return ok(what, "is accepted and ready");
}

function remedyOf(reason: string, edit: string): string {
  if (reason === REASONS.noServer) return "see the Gearman servers below";
  return `mend it: ${edit}`;
}
