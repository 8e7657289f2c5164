import { type GitUrl, isBelowUrl, renderGitUrl } from "./git-url.ts";
import { CheckoutError } from "./problem.ts";
import { readGitUrl } from "./sources.ts";

/** How a private server is reached: what a Secret holds, bound to the URLs below one scheme, host, port and path. */

export interface Credentials {
  url: GitUrl;
  /** The whole header's value, for https. */
  authorization?: string;
  /** Certificates in PEM, in place of the system's. */
  ca?: string;
  /** A URL of curl's, which may hold a login of its own. */
  proxy?: string;
  ssh?: { privateKey: string; knownHosts: string };
  /** What may be in no line that is printed. */
  secrets: readonly string[];
}

/** Keys of the Secret that are looked at. The first four are those of Kubernetes' own types of Secrets, and of what came with them. */
export const CREDENTIAL_KEYS = ["username", "password", "ssh-privatekey", "ca.crt", "known_hosts", "token", "proxy"] as const;

/** What a Secret has for these keys, as text. */
export type SecretData = Partial<Record<(typeof CREDENTIAL_KEYS)[number], string>>;

/**
 * Reads the Secret of one server. Throws CheckoutError that names the URL and what the Secret lacks; never with a value of it.
 * Keys: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types
 */
export function readCredentials(urlText: string, data: SecretData): Credentials {
  const url = readGitUrl(urlText, "checkout.credentials");
  const refuse = (problem: string) =>
    new CheckoutError("configuration", `the Secret of checkout.credentials for ${renderGitUrl(url, { credentials: false })} ${problem}`);
  if (url.scheme === "ssh") return { url, ssh: readKeys(data, refuse), secrets: [] };
  if (url.scheme !== "https") {
    throw new CheckoutError(
      "configuration",
      `checkout.credentials are for https and ssh - ${url.scheme} would show them to anybody on the way`,
    );
  }
  const login = readLogin(data, refuse);
  const ca = data["ca.crt"];
  if (ca !== undefined && !ca.includes("-----BEGIN CERTIFICATE-----")) throw refuse("has no certificate in ca.crt - it takes PEM");
  const proxy = readProxy(data, refuse);
  if (!login && ca === undefined && proxy === undefined) {
    throw refuse("has nothing for https - username and password, or token, ca.crt or proxy");
  }
  return {
    url,
    ...(login && { authorization: login.authorization }),
    ...(ca !== undefined && { ca }),
    ...(proxy !== undefined && { proxy }),
    secrets: [...(login?.secrets ?? []), ...(proxy === undefined ? [] : loginOf(proxy))],
  };
}

/** Those for a URL: of several, the nearest. None for a URL of another scheme, host or port. */
export function chooseCredentials<T extends { url: GitUrl }>(all: readonly T[], url: GitUrl): T | undefined {
  return all
    .filter((each) => isBelowUrl(url, each.url))
    .reduce<T | undefined>((nearest, each) => (nearest && nearest.url.path.length >= each.url.path.length ? nearest : each), undefined);
}

/** git's configuration for one server, which goes into a file: what is in git's environment or arguments is there for others to read. */
export function renderGitConfig({ url, authorization, proxy }: Credentials): string {
  const settings = [
    ...(authorization === undefined ? [] : [["extraHeader", `Authorization: ${authorization}`]]),
    // Its login at once: not every proxy keeps the connection on which it asks for one.
    ...(proxy === undefined
      ? []
      : [
          ["proxy", proxy],
          ["proxyAuthMethod", "basic"],
        ]),
  ];
  const { userInfo: _, ...place } = url;
  const lines = settings.map(([name, value = ""]) => `\t${name} = ${quoteConfig(value)}\n`);
  return `[http ${quoteConfig(renderGitUrl(place, { credentials: false }))}]\n${lines.join("")}`;
}

type Refuse = (problem: string) => CheckoutError;

function readLogin({ username, password, token }: SecretData, refuse: Refuse): { authorization: string; secrets: string[] } | undefined {
  if (token !== undefined) {
    if (password !== undefined) throw refuse("has a token and a password - which of them is sent? remove one");
    const bearer = readWord("token", token, refuse);
    return { authorization: `Bearer ${bearer}`, secrets: [bearer] };
  }
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined) throw refuse("lacks username - servers that take a token as password take any");
  if (password === undefined) throw refuse("lacks password");
  const [user, word] = [readWord("username", username, refuse), readWord("password", password, refuse)];
  if (user.includes(":")) throw refuse("has a username with a colon - the login would end there");
  const basic = encodeBase64(`${user}:${word}`);
  return { authorization: `Basic ${basic}`, secrets: [word, basic, encodeURIComponent(word)] };
}

function readKeys(data: SecretData, refuse: Refuse): NonNullable<Credentials["ssh"]> {
  const [privateKey, knownHosts] = [data["ssh-privatekey"], data.known_hosts];
  if (privateKey === undefined) throw refuse("lacks ssh-privatekey");
  if (!/^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/m.test(privateKey)) throw refuse("has no private key in ssh-privatekey");
  if (knownHosts === undefined || knownHosts.trim() === "") {
    throw refuse("lacks known_hosts - what ssh-keyscan prints for the server, compared with its administrator's");
  }
  return { privateKey: withUnixLines(privateKey), knownHosts: withUnixLines(knownHosts) };
}

function readProxy({ proxy: text }: SecretData, refuse: Refuse): string | undefined {
  if (text === undefined) return undefined;
  const proxy = readWord("proxy", text, refuse);
  if (!/^(https?|socks[45]|socks4a|socks5h):\/\/[^\s/?#]+\/?$/i.test(proxy))
    throw refuse("has no URL in proxy - such as http://proxy.example.com:3128");
  return proxy;
}

function loginOf(proxy: string): string[] {
  const login = /:\/\/(?<login>[^/]*)@/.exec(proxy)?.groups?.login;
  return login === undefined ? [] : [login, ...login.split(":").slice(1)];
}

/** A value that goes into a header or a URL; many a Secret ends with the newline of the `echo` that it was made with. */
function readWord(key: string, text: string, refuse: Refuse): string {
  const word = text.replace(/\r?\n$/, "");
  if (word === "") throw refuse(`has an empty ${key}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a header ends where they begin
  if (/[\x00-\x1f\x7f]/.test(word)) throw refuse(`has control characters in ${key}`);
  return word;
}

/** ssh takes no key whose last line has no end, nor one with carriage returns. */
function withUnixLines(text: string): string {
  return `${text.replaceAll("\r\n", "\n").trimEnd()}\n`;
}

function quoteConfig(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

function encodeBase64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
