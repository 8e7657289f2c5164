/** git's whole configuration: nothing of the system, of the user or of a fetched repository adds to it. */
const CONFIG: Readonly<Record<string, string>> = {
  "advice.detachedHead": "false",
  "core.fsmonitor": "false",
  "core.hooksPath": "/dev/null",
  "credential.helper": "",
  "fetch.recurseSubmodules": "false",
  "gc.auto": "0", // no process of git goes on after its command
  "http.lowSpeedLimit": "100", // bytes per second
  "http.lowSpeedTime": "60", // seconds
  "init.defaultBranch": "master",
  "maintenance.auto": "false",
  "protocol.allow": "never",
  "protocol.git.allow": "always",
  "protocol.http.allow": "always",
  "protocol.https.allow": "always",
  "protocol.ssh.allow": "always",
  "submodule.recurse": "false",
};

/** Of the container's own environment only these pass: how the cluster reaches the world. */
const INHERITED = ["PATH", "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "GIT_SSL_CAINFO"];

/** `none`: no file of a user or of the system adds to it. */
const SSH = "ssh -F none -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4";

/** What git uses for one server beside its configuration. All are paths of files. */
export interface GitAccess {
  config?: string;
  /** In place of the container's own `GIT_SSL_CAINFO`, which git would prefer to any of its configuration. */
  ca?: string;
  ssh?: { key: string; knownHosts: string };
}

interface EnvironmentOptions {
  home: string;
  /** A redirect of the first request may lead to another host. */
  isRedirectFollowed: boolean;
  inherited: Readonly<Record<string, string | undefined>>;
  access?: GitAccess | undefined;
  /** No server is reached, whatever the repository says of its promisors. */
  isLocal?: boolean;
}

/** The environment that git runs in. */
export function makeGitEnvironment(options: EnvironmentOptions): Record<string, string> {
  const { home, isRedirectFollowed, inherited, access, isLocal } = options;
  const environment: Record<string, string> = {
    HOME: home,
    LC_ALL: "C",
    GIT_ALLOW_PROTOCOL: isLocal ? "" : "http:https:git:ssh",
    GIT_ASKPASS: "true",
    GIT_CONFIG_GLOBAL: access?.config ?? "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_SSH_COMMAND: access?.ssh ? `${SSH} ${renderKeyOptions(access.ssh)}` : SSH,
    GIT_SSH_VARIANT: "ssh",
    GIT_TERMINAL_PROMPT: "0",
  };
  for (const name of INHERITED) {
    const value = inherited[name];
    if (value !== undefined) environment[name] = value;
  }
  if (access?.ca !== undefined) environment.GIT_SSL_CAINFO = access.ca;
  const config = Object.entries({ ...CONFIG, "http.followRedirects": isRedirectFollowed ? "initial" : "false" });
  environment.GIT_CONFIG_COUNT = String(config.length);
  for (const [index, [key, value]] of config.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key;
    environment[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return environment;
}

/** This key and these hosts, and no others. */
function renderKeyOptions({ key, knownHosts }: NonNullable<GitAccess["ssh"]>): string {
  const options = ["StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", `UserKnownHostsFile=${knownHosts}`, "IdentitiesOnly=yes"];
  return [...options, `IdentityFile=${key}`].map((option) => `-o ${quoteWord(option)}`).join(" ");
}

/** git gives the command to a shell. */
function quoteWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
