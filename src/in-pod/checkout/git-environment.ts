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

const SSH = "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o ServerAliveCountMax=4";

/** The environment that git runs in. `isRedirectFollowed`: a redirect of the first request may lead to another host. */
export function makeGitEnvironment(options: {
  home: string;
  isRedirectFollowed: boolean;
  inherited: Readonly<Record<string, string | undefined>>;
}): Record<string, string> {
  const environment: Record<string, string> = {
    HOME: options.home,
    LC_ALL: "C",
    GIT_ALLOW_PROTOCOL: "http:https:git:ssh",
    GIT_ASKPASS: "true",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_SSH_COMMAND: SSH,
    GIT_SSH_VARIANT: "ssh",
    GIT_TERMINAL_PROMPT: "0",
  };
  for (const name of INHERITED) {
    const value = options.inherited[name];
    if (value !== undefined) environment[name] = value;
  }
  const config = Object.entries({ ...CONFIG, "http.followRedirects": options.isRedirectFollowed ? "initial" : "false" });
  environment.GIT_CONFIG_COUNT = String(config.length);
  for (const [index, [key, value]] of config.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key;
    environment[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return environment;
}
