import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CREDENTIAL_KEYS,
  type Credentials,
  chooseCredentials,
  readCredentials,
  renderGitConfig,
  type SecretData,
} from "../../core/checkout/credentials.ts";
import { parseGitUrl } from "../../core/checkout/git-url.ts";
import { CheckoutError } from "../../core/checkout/problem.ts";
import { coerceError } from "../../runtime/errors.ts";
import type { GitAccess } from "./git-environment.ts";

/** A server's URL, and the directory that its Secret is mounted at. */
export interface MountedCredentials {
  url: string;
  directory: string;
}

export interface ServerAccess {
  /** What git may use for this URL; undefined: nothing of anybody's. */
  forUrl(url: string): GitAccess | undefined;
  /** Texts that may not be printed. */
  secrets: readonly string[];
}

/** A Secret has 1 MiB at most; none of ours needs a tenth of it. */
const MAX_BYTES = 128 * 1024;
const OWN_ONLY = 0o600;

/**
 * Does `work` with the Secrets of all servers. What git and ssh take as files alone lies meanwhile in a directory of its own below `parent`: ssh
 * refuses a key that others may read, as it is in a Secret's volume. Throws CheckoutError for what cannot be read.
 */
export async function withServerAccess<T>(
  mounted: readonly MountedCredentials[],
  parent: string,
  work: (access: ServerAccess) => Promise<T>,
): Promise<T> {
  if (mounted.length === 0) return work({ forUrl: () => undefined, secrets: [] });
  const directory = await mkdtemp(join(parent, "turbo-hipster-keys-")).catch((thrown) => {
    throw new CheckoutError("configuration", `no place for the copies of keys - ${coerceError(thrown).message}`);
  });
  try {
    return await work(await readServerAccess(mounted, directory));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readServerAccess(mounted: readonly MountedCredentials[], directory: string): Promise<ServerAccess> {
  const all: (GitAccess & Pick<Credentials, "url" | "secrets">)[] = [];
  for (const [index, { url, directory: secret }] of mounted.entries()) {
    const credentials = readCredentials(url, await readSecret(secret, url));
    const own = join(directory, String(index));
    await mkdir(own, { mode: 0o700 });
    all.push({ url: credentials.url, secrets: credentials.secrets, ...(await writeAccess(credentials, own)) });
  }
  return {
    secrets: all.flatMap(({ secrets }) => secrets).filter((secret) => secret.length > 3),
    forUrl(text) {
      const parsed = parseGitUrl(text);
      return parsed.ok ? chooseCredentials(all, parsed.url) : undefined;
    },
  };
}

async function writeAccess(credentials: Credentials, directory: string): Promise<GitAccess> {
  const { ssh, ca } = credentials;
  const write = async (name: string, text: string) => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: OWN_ONLY });
    return path;
  };
  if (ssh) return { ssh: { key: await write("key", ssh.privateKey), knownHosts: await write("known_hosts", ssh.knownHosts) } };
  const config = await write("gitconfig", renderGitConfig(credentials));
  return { config, ...(ca !== undefined && { ca: await write("ca.crt", ca) }) };
}

async function readSecret(directory: string, url: string): Promise<SecretData> {
  const data: SecretData = {};
  for (const key of CREDENTIAL_KEYS) {
    const text = await readText(join(directory, key), url);
    if (text !== undefined) data[key] = text;
  }
  return data;
}

async function readText(path: string, url: string): Promise<string | undefined> {
  try {
    await using file = await open(path, "r");
    if ((await file.stat()).size > MAX_BYTES) throw new CheckoutError("configuration", `a key of the Secret for ${url} is too long`);
    return await file.readFile("utf8");
  } catch (thrown) {
    if (thrown instanceof CheckoutError) throw thrown;
    const error: NodeJS.ErrnoException = coerceError(thrown);
    if (error.code === "ENOENT") return undefined;
    throw new CheckoutError("configuration", `cannot read the Secret of checkout.credentials for ${url} - ${error.code ?? error.message}`);
  }
}
