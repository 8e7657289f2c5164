import type { CheckoutFault, CheckoutPlan, CheckoutProblem } from "./plan.ts";

interface Rule {
  pattern: RegExp;
  fault: CheckoutFault;
  /** `detail` is what the pattern's group of that name holds. */
  sentence(plan: CheckoutPlan, detail: string): string;
}

/** First line of a failure in git's own words. What a server says arrives behind `remote: ` and can't pass for one. */
const OWN = "^(?:fatal|error|ssh|warning): .*";

/**
 * git tells by its text alone (English under LC_ALL=C) what went wrong: it exits 128 for everything. The first rule that matches counts;
 * written for git 2.39, curl 7.88 and OpenSSH 9.2.
 */
const RULES: readonly Rule[] = [
  {
    pattern: /^(?:fatal|error): [Ii]nvalid path '/m,
    fault: "ref",
    sentence: (plan) => `the commit holds a path in ${plan.project} that git refuses to write`,
  },
  {
    pattern: /^fatal: (?:remote error: (?:access denied or repository not exported|no such repository)|repository '.*' not found$)/m,
    fault: "configuration",
    sentence: (plan) => `${plan.host} has no project ${plan.project} - check zuul_url in zuul.conf`,
  },
  {
    pattern: /^fatal: .*(?:does not appear to be a git repository|not valid: is this a git repository\?)/m,
    fault: "configuration",
    sentence: (plan) => `${plan.host} has no git project ${plan.project} - check zuul_url in zuul.conf`,
  },
  {
    pattern: /^(?:fatal: (?:Authentication failed for |could not read (?:Username|Password) ).*|.*: Permission denied \(.*\)\.)$/m,
    fault: "configuration",
    sentence: (plan) => `${plan.host} asks for credentials for ${plan.project} - the checkout has none that it takes`,
  },
  {
    pattern: /^Host key verification failed\.$/m,
    fault: "configuration",
    sentence: (plan) => `the SSH host key of ${plan.host} is not known to the checkout`,
  },
  {
    pattern: new RegExp(`${OWN}(?:SSL certificate problem|server certificate verification failed|certificate subject name)`, "m"),
    fault: "configuration",
    sentence: (plan) => `the TLS certificate of ${plan.host} is not trusted by the checkout`,
  },
  {
    pattern: new RegExp(`${OWN}(?:The requested URL returned error: 30[0-9]|unable to update url base from redirection)`, "m"),
    fault: "configuration",
    sentence: (plan) => `${plan.host} redirects to another URL - give the final one`,
  },
  {
    pattern: new RegExp(`${OWN}The requested URL returned error: 4(?!08|29)[0-9]{2}`, "m"),
    fault: "configuration",
    sentence: (plan) => `${plan.host} refuses the checkout access to ${plan.project}`,
  },
  {
    pattern: new RegExp(`${OWN}The requested URL returned error: (?<detail>[0-9]{3})`, "m"),
    fault: "network",
    sentence: (plan, status) => `${plan.host} answers with HTTP status ${status} for ${plan.project}`,
  },
  {
    pattern: /^(?:error: cannot run ssh: |.*\bssh: (?:command )?not found$|fatal: unable to find remote helper for |git: 'remote-)/m,
    fault: "configuration",
    sentence: (plan) => `the checkout's image has no client for ${plan.url.slice(0, plan.url.indexOf(":"))}`,
  },
  {
    pattern: /^No user exists for uid /m,
    fault: "configuration",
    sentence: () => "the checkout's image has no user for its uid - ssh needs one",
  },
  {
    pattern: /^fatal: mismatched algorithms: /m,
    fault: "configuration",
    sentence: (plan) => `${plan.project} at ${plan.host} names its commits by another hash than ZUUL_COMMIT`,
  },
  {
    pattern: /No space left on device|Disk quota exceeded/,
    fault: "network",
    sentence: (plan) => `no space left in the workspace for ${plan.project}`,
  },
  {
    pattern: new RegExp(`${OWN}(?:[Cc]ould not resolve host|unable to look up )`, "m"),
    fault: "network",
    sentence: (plan) => `cannot resolve the host name ${plan.host}`,
  },
  {
    pattern: /Connection refused|Failed to connect to |Couldn't connect to server/,
    fault: "network",
    sentence: (plan) => `${plan.host} refuses connections`,
  },
  {
    pattern: /timed out|Operation too slow/,
    fault: "network",
    sentence: (plan) => `${plan.host} does not answer`,
  },
];

/** Judges a git command that failed; it is `plan.missing` itself when the ref is not there. What no rule knows is the network's fault: it is tried again and never blames the change. */
export function judgeGitFailure(stderr: string, plan: CheckoutPlan): CheckoutProblem {
  const said = stderr.replace(/[\u2028\u2029]/g, " "); // line ends to a pattern, but not to git, which puts `remote: ` before each line
  if (/^fatal: couldn't find remote ref /m.test(said)) return plan.missing;
  for (const { pattern, fault, sentence } of RULES) {
    const match = pattern.exec(said);
    if (match) return { fault, message: sentence(plan, match.groups?.detail ?? "") };
  }
  const reason = /^(?:fatal|error): (?:unable to access '[^']*': )?(?<reason>.*)$/m.exec(said)?.groups?.reason;
  return { fault: "network", message: `git failed for ${plan.project} from ${plan.host}${reason ? ` - ${reason}` : ""}` };
}
