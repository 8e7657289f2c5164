import { quotaExcess } from "./quota.ts";

/**
 * Why the API server, or whoever it asks, refused an object: the part of its message that reviewers need, first. The words are those of
 * Kubernetes' admission plugins, and of the policy engines that are known here; of others all is kept.
 */
export function refusalCause(message: string): string {
  const said = message.replace(/^Error creating: /, "").replace(/^[\w.]+ "[^"]*" is (?:forbidden|invalid): /, "");
  return fromPolicy(said) ?? fromWebhook(said) ?? fromSecurityContextConstraints(said) ?? quotaExcess(said) ?? said;
}

/** k8s.io/apiserver, pkg/admission/plugin/policy/validating/dispatcher.go. */
function fromPolicy(said: string): string | undefined {
  const { policy, why } = /ValidatingAdmissionPolicy '(?<policy>[^']*)' .*?denied request: (?<why>.*)$/s.exec(said)?.groups ?? {};
  return policy === undefined ? undefined : `policy ${policy} - ${why}`;
}

/** k8s.io/apiserver, pkg/admission/plugin/webhook/errors/statuserror.go. */
function fromWebhook(said: string): string | undefined {
  const { webhook = "", why = "" } = /admission webhook "(?<webhook>[^"]*)" denied the request:?(?<why>.*)$/s.exec(said)?.groups ?? {};
  if (webhook === "") return undefined;
  return fromKyverno(why) ?? fromGatekeeper(why) ?? `${why.replace(/^ without explanation/, "").trim() || "refused"} (by ${webhook})`;
}

/**
 * kyverno, pkg/webhooks/utils/block.go: what was blocked, then policies with their rules, as YAML whose long lines are folded. Of several the
 * first, without the path that its rule names at the end.
 */
function fromKyverno(why: string): string | undefined {
  const policies = /\bwas blocked due to the following policies:?\s+(.*)$/s.exec(why)?.[1] ?? "";
  const {
    policy,
    scalar,
    rest = "",
  } = /^(?<policy>[^\s:]+):\s+[^\s:]+: (?<scalar>['"]|[|>]-?\s+|)(?<rest>.*)$/s.exec(policies)?.groups ?? {};
  if (policy === undefined) return undefined;
  const end = scalar === "'" ? /(?<!')'(?!')/ : scalar === '"' ? /(?<!\\)"/ : /\n {0,2}(?=\S)/;
  const [reason = ""] = rest.split(end);
  return `policy ${policy} - ${reason
    .replace(/\s+/g, " ")
    .replace(/^(?:validation (?:error|failure): )+/, "")
    .replace(/[.;]? (?:Validation )?[Rr]ule [^ ]+ failed at path .*$/, "")}`;
}

/** gatekeeper, pkg/webhook/policy.go: a line for each violation, its constraint in brackets. */
function fromGatekeeper(why: string): string | undefined {
  const { policy, reason } = /^\s*\[(?:denied by )?(?<policy>[^\]\s]+)\] (?<reason>.*?)(?=\s*\n\[|$)/s.exec(why)?.groups ?? {};
  return policy === undefined ? undefined : `policy ${policy} - ${reason}`;
}

/**
 * openshift/apiserver-library-go, pkg/securitycontextconstraints/sccadmission/admission.go: what each constraint has against the pod. Most
 * are not for this service account at all, and say nothing of what to change.
 */
function fromSecurityContextConstraints(said: string): string | undefined {
  const list = /^unable to validate against any security context constraint: \[?(.*?)\]?$/s.exec(said)?.[1];
  if (list === undefined) return undefined;
  const usable = list
    .split(/, (?=provider |pod\.metadata|\.?spec\.|\.containers|\.initContainers)/)
    .filter((entry) => !/: Forbidden: not usable by user or serviceaccount|^pod\.metadata\.annotations.*seccomp/.test(entry));
  if (usable.length === 0) return "no security context constraint is for this service account";
  let named = "";
  const entries = usable.map((entry) => {
    const provider = /^provider "?([^":]+)"?: /.exec(entry);
    const rest = entry.slice(provider?.[0].length ?? 0);
    const short = rest
      .replace(/: Invalid value: \[\]int64\{[^}]*\}: /, ": ")
      .replace(/: Invalid value: ([^:]*): /, ": $1 ")
      .replace("ranges: [", "ranges [");
    if (!provider || provider[1] === named) return short;
    named = provider[1] ?? "";
    return `${named}: ${short}`;
  });
  return `SCC ${entries.join(", ")}`;
}
