import type { CheckoutFault, CheckoutProblem } from "./problem.ts";
import type { GitSource } from "./sources.ts";

export interface GitFailure extends CheckoutProblem {
  /** What is not there, says who would have it: what was asked for, commits with ids of the length that was expected, or a part of the history. */
  absent?: "ref" | "repository" | "hash" | "shallow";
}

interface Rule {
  pattern: RegExp;
  fault: CheckoutFault;
  absent?: GitFailure["absent"];
  /** `detail` is what the pattern's group of that name holds. */
  sentence(source: GitSource, detail: string): string;
}

/** First line of a failure in git's own words. What a server says arrives behind `remote: ` and can't pass for one. */
const OWN = "^(?:fatal|error|ssh|warning): .*";

/**
 * git tells by its text alone (English under LC_ALL=C) what went wrong: it exits 128 for everything. The first rule that matches counts;
 * written for git 2.39, curl 7.88 and OpenSSH 9.2.
 */
const RULES: readonly Rule[] = [
  {
    pattern: /^fatal: couldn't find remote ref (?<detail>.*)$/m,
    fault: "ref",
    absent: "ref",
    sentence: (source, ref) => `${ref} does not exist in ${source.project} at ${source.host}`,
  },
  {
    pattern:
      /^(?:fatal: (?:remote error: )?(?:git )?upload-pack: not our ref |error: Server does not allow request for unadvertised object )(?<detail>.*)$/m,
    fault: "ref",
    absent: "ref",
    sentence: (source, commit) => `${commit} does not exist in ${source.project} at ${source.host}`,
  },
  {
    pattern: /^(?:fatal|error): [Ii]nvalid path '/m,
    fault: "ref",
    sentence: (source) => `the commit holds a path in ${source.project} that git refuses to write`,
  },
  {
    pattern: /^fatal: (?:remote error: (?:access denied or repository not exported|no such repository)|repository '.*' not found$)/m,
    fault: "configuration",
    absent: "repository",
    sentence: (source) => `${source.host} has no project ${source.project} - check ${source.setting}`,
  },
  {
    pattern: /^fatal: .*(?:does not appear to be a git repository|not valid: is this a git repository\?)/m,
    fault: "configuration",
    absent: "repository",
    sentence: (source) => `${source.host} has no git project ${source.project} - check ${source.setting}`,
  },
  {
    pattern: /^(?:fatal: (?:Authentication failed for |could not read (?:Username|Password) ).*|.*: Permission denied \(.*\)\.)$/m,
    fault: "configuration",
    sentence: (source) => `${source.host} asks for credentials for ${source.project} - none of checkout.credentials is taken`,
  },
  {
    pattern: /^Host key verification failed\.$/m,
    fault: "configuration",
    sentence: (source) => `the SSH host key of ${source.host} is not known - see known_hosts in the Secret of checkout.credentials`,
  },
  {
    pattern: new RegExp(`${OWN}(?:SSL certificate problem|server certificate verification failed|certificate subject name)`, "m"),
    fault: "configuration",
    sentence: (source) =>
      `the TLS certificate of ${source.host} is not trusted - ca.crt in a Secret of checkout.credentials may say whom to trust`,
  },
  {
    pattern: new RegExp(`${OWN}(?:CONNECT tunnel failed, response|Received HTTP code) (?<detail>403|407)`, "m"),
    fault: "configuration",
    sentence: (source, status) =>
      `the proxy to ${source.host} ${status === "407" ? "asks for another login" : "refuses it"} - see proxy in the Secret of checkout.credentials`,
  },
  {
    pattern: new RegExp(`${OWN}(?:The requested URL returned error: 30[0-9]|unable to update url base from redirection)`, "m"),
    fault: "configuration",
    sentence: (source) => `${source.host} redirects to another URL - give the final one`,
  },
  {
    pattern: new RegExp(`${OWN}The requested URL returned error: 4(?!08|29)[0-9]{2}`, "m"),
    fault: "configuration",
    sentence: (source) => `${source.host} refuses the checkout access to ${source.project}`,
  },
  {
    pattern: new RegExp(`${OWN}The requested URL returned error: (?<detail>[0-9]{3})`, "m"),
    fault: "network",
    sentence: (source, status) => `${source.host} answers with HTTP status ${status} for ${source.project}`,
  },
  {
    pattern: /^(?:error: cannot run ssh: |.*\bssh: (?:command )?not found$|fatal: unable to find remote helper for |git: 'remote-)/m,
    fault: "configuration",
    sentence: (source) => `the checkout's image has no client for ${source.url.slice(0, source.url.indexOf(":"))}`,
  },
  {
    pattern: /^No user exists for uid /m,
    fault: "configuration",
    sentence: () => "the checkout's image has no user for its uid - ssh needs one",
  },
  {
    pattern: /^fatal: mismatched algorithms: /m,
    fault: "configuration",
    absent: "hash",
    sentence: (source) => `${source.project} at ${source.host} names its commits by another hash than ZUUL_COMMIT`,
  },
  {
    pattern:
      /^fatal: (?:dumb http transport does not support shallow capabilities|Server does not support shallow (?:clients|requests)|Server does not support --depth)/m,
    fault: "configuration",
    absent: "shallow",
    sentence: (source) => `${source.host} gives no part of the history of ${source.project} - leave out checkout.depth`,
  },
  {
    pattern: /No space left on device|Disk quota exceeded/,
    fault: "network",
    sentence: (source) => `no space left in the workspace for ${source.project}`,
  },
  {
    pattern: new RegExp(`${OWN}(?:[Cc]ould not resolve host|unable to look up )`, "m"),
    fault: "network",
    sentence: (source) => `cannot resolve the host name ${source.host}`,
  },
  {
    pattern: /Connection refused|Failed to connect to |Couldn't connect to server/,
    fault: "network",
    sentence: (source) => `${source.host} refuses connections`,
  },
  {
    pattern: /timed out|Operation too slow/,
    fault: "network",
    sentence: (source) => `${source.host} does not answer`,
  },
];

/** Judges a git command that failed. What no rule knows is the network's fault: it is tried again and never blames the change. */
export function judgeGitFailure(stderr: string, source: GitSource): GitFailure {
  const said = stderr.replace(/[\u2028\u2029]/g, " "); // line ends to a pattern, but not to git, which puts `remote: ` before each line
  for (const { pattern, fault, absent, sentence } of RULES) {
    const match = pattern.exec(said);
    if (match) return { fault, message: sentence(source, match.groups?.detail ?? ""), ...(absent && { absent }) };
  }
  const reason = /^(?:fatal|error): (?:unable to access '[^']*': )?(?<reason>.*)$/m.exec(said)?.groups?.reason;
  return { fault: "network", message: `git failed for ${source.project} from ${source.host}${reason ? ` - ${reason}` : ""}` };
}
