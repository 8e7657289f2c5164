import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Cluster, DispatcherOptions, KubeConfig, RequestContext, User } from "@kubernetes/client-node";
import { parse } from "yaml";
import { coerceError, InputError } from "../../runtime/errors.ts";
import { KubeError } from "./kube-error.ts";
import { chooseProxy } from "./proxy-choice.ts";
import { renderPublicUrl } from "./public-url.ts";

export interface KubeConfigChoice {
  /** Path of a kubeconfig file; without it KUBECONFIG, then ~/.kube/config, then the pod's service account. */
  readonly kubeconfig?: string | undefined;
  /** Name of a context of it; without it the file's current-context. */
  readonly context?: string | undefined;
  /** How long a credential plugin may take before it is killed; 30 s by default. */
  readonly pluginMs?: number | undefined;
}

/** What a request needs to be let in. `connect` is the very same object until the TLS side of the credentials changes on disk. */
export interface Access {
  readonly headers: Readonly<Record<string, string>>;
  readonly connect: DispatcherOptions;
}

export interface KubeCredentials {
  /** `https://host:port` of the API server. */
  readonly origin: string;
  /** What the server's URL has before `/api`; "" as a rule. */
  readonly pathPrefix: string;
  /** For messages: `the API server https://... (context x of /path)`. */
  readonly label: string;
  /** Reads what may have changed on disk (token file, certificates), runs credential plugins when theirs ran out. Throws `TH_KUBE_CREDENTIALS`. */
  authenticate(): Promise<Access>;
  /** Reads the kubeconfig anew and forgets cached plugin answers, after the server refused them. Keeps the old ones if that fails. */
  reload(): void;
}

const PLUGIN_MS = 30_000;

const SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** Finds and reads the configuration. Throws an `InputError` that names file and remedy where it is missing, broken or has no such context. */
export async function loadKubeCredentials(choice: KubeConfigChoice): Promise<KubeCredentials> {
  const { KubeConfig } = await import("./client-node.ts");
  const load = () => {
    const loaded = loadConfig(() => new KubeConfig(), choice);
    boundPlugins(loaded.config, choice.pluginMs ?? PLUGIN_MS);
    return loaded;
  };
  let loaded = load();
  const server = new URL(loaded.cluster.server);
  let source = makeAccessSource(loaded);
  return {
    origin: server.origin,
    pathPrefix: server.pathname.replace(/\/+$/, ""),
    label: `the API server ${renderPublicUrl(loaded.cluster.server)} (${loaded.from})`,
    authenticate: () => source.authenticate(),
    reload() {
      try {
        loaded = load();
      } catch {
        return; // half-written at this moment; the old ones stay and the next refusal tries again
      }
      source = makeAccessSource(loaded);
    },
  };
}

interface LoadedConfig {
  readonly config: KubeConfig;
  readonly cluster: Cluster;
  readonly user: User;
  /** Where it came from, for messages. */
  readonly from: string;
}

/** client-node waits for a plugin for ever, and with it all requests that come meanwhile. */
function boundPlugins(config: KubeConfig, pluginMs: number): void {
  type Run = (...args: unknown[]) => ChildProcess;
  for (const authenticator of (config as unknown as { authenticators: { execFn?: Run }[] }).authenticators) {
    const { execFn } = authenticator;
    if (execFn === undefined) continue;
    authenticator.execFn = (...args) => {
      const plugin = execFn(...args);
      const timer = setTimeout(() => plugin.kill("SIGKILL"), pluginMs);
      // A command that is not there has an error and no exit.
      for (const end of ["exit", "error"]) plugin.once(end, () => clearTimeout(timer));
      return plugin;
    };
  }
}

function makeAccessSource({ config, user, from }: LoadedConfig) {
  // client-node makes a new undici Agent, and so a new TLS connection, of these options for every request. We keep the options, answer
  // "none" so that it makes nothing, and keep one dispatcher as long as they stay the same.
  const makeOptions = config.createDispatcherOptions.bind(config);
  let connect: DispatcherOptions = { type: "none" };
  config.createDispatcherOptions = (cluster, agentOptions) => {
    const fresh = makeOptions(cluster, agentOptions);
    if (!isDeepStrictEqual(fresh, connect)) connect = fresh;
    return { type: "none" };
  };

  async function readAccess(): Promise<Access> {
    const headers: Record<string, string> = {};
    const context = {
      setHeaderParam(name: string, value: string) {
        headers[name] = value.trim();
      },
      setDispatcher() {},
    };
    try {
      await config.applySecurityAuthentication(context as unknown as RequestContext);
    } catch (thrown) {
      const why = coerceError(thrown).message.trim() || "its plugin failed without a word, or took too long";
      const message = `can't get the credentials of user "${user.name}" (${from}): ${why}`;
      throw new KubeError("TH_KUBE_CREDENTIALS", message, { cause: thrown, retryable: true });
    }
    return { headers, connect };
  }

  // Many requests at once must not start a credential plugin each.
  let pending: Promise<Access> | undefined;
  return {
    authenticate(): Promise<Access> {
      pending ??= readAccess().finally(() => {
        pending = undefined;
      });
      return pending;
    },
  };
}

function loadConfig(makeConfig: () => KubeConfig, choice: KubeConfigChoice): LoadedConfig {
  const files = kubeconfigFiles(choice);
  const config = makeConfig();
  if (files.paths.length === 0) {
    if (choice.context !== undefined) {
      throw new InputError(`there is no kubeconfig to look for context "${choice.context}" in; give one with --kubeconfig FILE`);
    }
    config.loadFromCluster();
  } else {
    loadFiles(makeConfig, config, files.paths, files.origin);
  }
  const isInPod = files.paths.length === 0;
  const from = isInPod ? "the pod's service account" : files.paths.join(", ");
  const picked = pickContext(config, choice.context, from);
  // A pod's API server is in its own cluster, where no proxy leads to, whatever one the environment names for the world outside.
  return isInPod ? picked : withProxy(picked, from);
}

function kubeconfigFiles(choice: KubeConfigChoice): { paths: string[]; origin: string } {
  if (choice.kubeconfig !== undefined) return { paths: [choice.kubeconfig], origin: "given by --kubeconfig" };
  const fromEnvironment = (process.env.KUBECONFIG ?? "").split(delimiter).filter((path) => path !== "");
  if (fromEnvironment.length > 0) {
    // Like kubectl: of several files those that don't exist are left out.
    const existing = fromEnvironment.filter((path) => existsSync(path));
    return { paths: existing.length > 0 ? existing : fromEnvironment.slice(0, 1), origin: "named by the variable KUBECONFIG" };
  }
  const inHome = join(homedir(), ".kube", "config");
  if (existsSync(inHome)) return { paths: [inHome], origin: "the default" };
  if (process.env.KUBERNETES_SERVICE_HOST && existsSync(SERVICE_ACCOUNT_TOKEN)) return { paths: [], origin: "" };
  throw new InputError(
    `no Kubernetes cluster is configured: ${inHome} does not exist, KUBECONFIG is not set, and this is no pod with a service account; give a file with --kubeconfig FILE`,
  );
}

function loadFiles(makeConfig: () => KubeConfig, config: KubeConfig, paths: readonly string[], origin: string): void {
  for (const path of paths) {
    const part = makeConfig();
    try {
      part.loadFromFile(path);
    } catch (thrown) {
      throw new InputError(`can't read the kubeconfig ${path} (${origin}): ${describeLoadFailure(thrown)}`, { cause: thrown });
    }
    // Like kubectl: of two entries with the same name the first file's counts.
    for (const cluster of part.clusters) if (!config.getCluster(cluster.name)) config.addCluster(cluster);
    const tokenFiles = readTokenFiles(path);
    for (const user of part.users) {
      const tokenFile = tokenFiles.get(user.name);
      if (!config.getUser(user.name)) config.addUser(tokenFile === undefined ? user : withTokenFile(user, tokenFile));
    }
    for (const context of part.contexts) if (!config.getContextObject(context.name)) config.addContext(context);
    if (part.currentContext && !config.currentContext) config.setCurrentContext(part.currentContext);
  }
}

/** client-node knows no `tokenFile`, the kubeconfig's word for a token that changes on disk: such a user would be anonymous. */
function readTokenFiles(path: string): Map<string, string> {
  const config = parse(readFileSync(path, "utf8")) as { users?: { name?: string; user?: { tokenFile?: unknown } }[] } | null;
  const found = new Map<string, string>();
  for (const { name, user } of config?.users ?? []) {
    if (name !== undefined && typeof user?.tokenFile === "string") found.set(name, resolve(dirname(path), user.tokenFile));
  }
  return found;
}

/** Its in-cluster login reads the file again each minute; the file comes before a `token`, as in kubectl. */
function withTokenFile({ token: _, ...user }: User, tokenFile: string): User {
  return { ...user, authProvider: { name: "tokenFile", config: { tokenFile } } };
}

function describeLoadFailure(thrown: unknown): string {
  const error = coerceError(thrown) as NodeJS.ErrnoException;
  if (error.code === "ENOENT") return "there is no such file; give an existing one with --kubeconfig FILE";
  if (error.code === "EACCES") return "this user may not read it; change its permissions";
  if (error.code !== undefined) return error.message;
  return `it is not a kubeconfig (${error.message.split("\n")[0]}); compare with \`kubectl config view\``;
}

function pickContext(config: KubeConfig, wanted: string | undefined, from: string): LoadedConfig {
  if (wanted !== undefined) config.setCurrentContext(wanted);
  const name = config.getCurrentContext();
  const known = config.contexts.map((context) => context.name).join(", ") || "none";
  if (!name) throw new InputError(`the kubeconfig ${from} has no current-context; name one with --context (it has: ${known})`);
  const context = config.getContextObject(name);
  if (!context) throw new InputError(`the kubeconfig ${from} has no context "${name}"; name another with --context (it has: ${known})`);
  const cluster = config.getCluster(context.cluster);
  if (!cluster)
    throw new InputError(`context "${name}" of ${from} names cluster "${context.cluster}", which is not there; correct the file`);
  // Without a user client-node also leaves out the cluster's certificate authority.
  const named = context.user as string | undefined; // client-node's type forgets that there may be none
  const userName = named ?? "anonymous";
  if (named === undefined) {
    config.contexts = config.contexts.map((other) => (other === context ? { ...context, user: userName } : other));
    if (!config.getUser(userName)) config.addUser({ name: userName });
  }
  const user = config.getUser(userName);
  if (!user) throw new InputError(`context "${name}" of ${from} names user "${userName}", which is not there; correct the file`);
  checkCluster(cluster, from);
  checkFiles(cluster, user, from);
  return { config, cluster, user, from: `context ${name} of ${from}` };
}

/** The kubeconfig's `proxy-url` before the environment's, as kubectl has it. */
function withProxy(loaded: LoadedConfig, file: string): LoadedConfig {
  const { config, cluster, from } = loaded;
  const ofEnvironment = cluster.proxyUrl ? undefined : chooseProxy(new URL(cluster.server), process.env);
  const proxyUrl = cluster.proxyUrl || ofEnvironment;
  if (proxyUrl === undefined) return loaded;
  const place =
    ofEnvironment === undefined ? `the proxy-url of cluster "${cluster.name}" of ${file}` : "the proxy that the environment names";
  if (!URL.canParse(proxyUrl) || !/^(?:https?|socks5?):$/.test(new URL(proxyUrl).protocol)) {
    throw new InputError(`${place} is ${renderPublicUrl(proxyUrl)}; http, https and socks5 proxies can be used`);
  }
  const proxied = { ...cluster, proxyUrl };
  config.clusters = config.clusters.map((other) => (other === cluster ? proxied : other));
  return { ...loaded, cluster: proxied, from: `${from}, through the proxy ${renderPublicUrl(proxyUrl)}` };
}

function checkCluster(cluster: Cluster, from: string): void {
  const place = `cluster "${cluster.name}" of ${from}`;
  if (!URL.canParse(cluster.server) || !/^https?:$/.test(new URL(cluster.server).protocol)) {
    throw new InputError(`the server of ${place} is ${renderPublicUrl(cluster.server)}; it must be an http or https URL`);
  }
  if (cluster.server.startsWith("http:") && !cluster.skipTLSVerify) {
    throw new InputError(`the server of ${place} is plain http; use https, or say insecure-skip-tls-verify: true there if that is meant`);
  }
}

function checkFiles(cluster: Cluster, user: User, from: string): void {
  const tokenFile: unknown = user.authProvider?.config?.tokenFile;
  for (const file of [cluster.caFile, user.certFile, user.keyFile, tokenFile]) {
    if (typeof file === "string" && !existsSync(file))
      throw new InputError(`${file}, which ${from} names, does not exist; correct the file`);
  }
}
