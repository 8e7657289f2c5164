/** Addresses of git repositories. They come with a request, so nothing is taken that git, ssh or curl could read in two ways. */
export interface GitUrl {
  scheme: "http" | "https" | "git" | "ssh";
  /** Without the `@`; for http and https it may hold a password or a token. */
  userInfo?: string;
  /** Lower case; an IPv6 address with its brackets. */
  host: string;
  port?: number;
  /** Starts with `/`, or is "" for the bare host. No slash at its end. */
  path: string;
}

type ParsedGitUrl = { ok: true; url: GitUrl } | { ok: false; problem: string };

const MAX_LENGTH = 2048;
const DEFAULT_PORTS = { http: 80, https: 443, git: 9418, ssh: 22 } as const;

// A host never starts with `-`: ssh would read it as an option (`-oProxyCommand=...`).
const AUTHORITY = /^(?:(?<userInfo>[^@/]*)@)?(?<host>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])(?::(?<port>[0-9]{1,5}))?$/i;
const SSH_USER = /^[A-Za-z0-9._][A-Za-z0-9._-]*$/;
const HTTP_USER_INFO = /^[A-Za-z0-9._~%!$&'()*+,;=:-]+$/;
const PATH = /^(?:\/[A-Za-z0-9._~%+@=,-]+)*$/;

/** Reads a URL. `problem` is a clause that follows the name of what held it ("ZUUL_URL <problem>"), with the remedy, fit for a result text. */
export function parseGitUrl(text: string): ParsedGitUrl {
  const refuse = (problem: string): ParsedGitUrl => ({ ok: false, problem });
  if (text.length > MAX_LENGTH) return refuse(`is longer than ${MAX_LENGTH} characters`);
  const [scheme, rest] = splitOnce(text, "://");
  if (rest === undefined) return refuse("is no URL - write it as https, http, git or ssh, two slashes, host and path");
  if (!isScheme(scheme)) return refuse(`has the scheme ${quoteUrlForPeople(scheme)} - only https, http, git and ssh are fetched`);

  const slash = rest.indexOf("/");
  const authority = AUTHORITY.exec(slash < 0 ? rest : rest.slice(0, slash))?.groups;
  if (!authority?.host) return refuse("has no valid host");
  const userInfo = authority.userInfo;
  if (userInfo !== undefined && !isUserInfo(scheme, userInfo)) return refuse("has an invalid user name before its host");
  const port = authority.port === undefined ? undefined : Number(authority.port);
  if (port !== undefined && (port < 1 || port > 65535)) return refuse("has an invalid port");
  const path = (slash < 0 ? "" : rest.slice(slash)).replace(/\/+$/, "");
  if (!PATH.test(path) || !path.split("/").slice(1).every(isPlainSegment)) return refuse("has a path with characters that are not allowed");

  const url: GitUrl = { scheme, host: authority.host.toLowerCase(), path };
  return { ok: true, url: { ...url, ...(userInfo !== undefined && { userInfo }), ...(port !== undefined && { port }) } };
}

/** As git takes it. Without `credentials` the user of http and https is left out too: it is often a token. */
export function renderGitUrl(url: GitUrl, options: { credentials: boolean }): string {
  const isUserShown = url.userInfo !== undefined && (options.credentials || url.scheme === "ssh");
  return `${url.scheme}://${isUserShown ? `${url.userInfo}@` : ""}${url.host}${url.port === undefined ? "" : `:${url.port}`}${url.path}`;
}

/** True when `url` is `prefix` or below it: same scheme, host and port, and its path continues at a slash. A user counts only if the prefix has one. */
export function isBelowUrl(url: GitUrl, prefix: GitUrl): boolean {
  return (
    url.scheme === prefix.scheme &&
    url.host === prefix.host &&
    (url.port ?? DEFAULT_PORTS[url.scheme]) === (prefix.port ?? DEFAULT_PORTS[prefix.scheme]) &&
    (prefix.userInfo === undefined || url.userInfo === prefix.userInfo) &&
    `${url.path}/`.startsWith(`${prefix.path}/`)
  );
}

/** Hostile text inside a sentence: short, and without what could end the quotation. */
export function quoteForPeople(text: string): string {
  const shown = text.replace(/[^\x20-\x7e]/gu, "?").replaceAll("'", "?");
  return `'${shown.length > 40 ? `${shown.slice(0, 37)}...` : shown}'`;
}

/** The same for what was to be a URL, without what may be a login. */
export function quoteUrlForPeople(text: string): string {
  return quoteForPeople(text.replace(/^([a-z0-9+.-]*:\/\/)?.*@/is, "$1"));
}

function isScheme(text: string): text is GitUrl["scheme"] {
  return Object.hasOwn(DEFAULT_PORTS, text);
}

function isUserInfo(scheme: GitUrl["scheme"], userInfo: string): boolean {
  if (scheme === "git") return false; // git:// knows no users; git would look up the host "user@host"
  return scheme === "ssh" ? SSH_USER.test(userInfo) : HTTP_USER_INFO.test(userInfo);
}

/** Servers decode `%2e%2e` and `%2f` after an allow-list was passed; git decodes them itself for ssh and git. */
function isPlainSegment(segment: string): boolean {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch {
    return false;
  }
  return decoded !== "." && decoded !== ".." && !/[\p{C}/\\?#%:]/u.test(decoded);
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
