import { BlockList, isIP } from "node:net";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment names for a server, as its variables say it; undefined for none. As Go's programs have it, kubectl among
 * them (golang.org/x/net/http/httpproxy): `HTTPS_PROXY` for https and `HTTP_PROXY` for http, `NO_PROXY` for what is reached directly; the same in
 * lower case counts where that is empty; a value without a scheme is an http proxy. This machine itself is never reached through a proxy.
 */
export function chooseProxy(server: URL, environment: Environment): string | undefined {
  const said = read(environment, server.protocol === "http:" ? "HTTP_PROXY" : "HTTPS_PROXY");
  if (said === undefined || !usesProxy(server, read(environment, "NO_PROXY") ?? "")) return undefined;
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(said) ? said : `http://${said}`;
}

function read(environment: Environment, name: string): string | undefined {
  return environment[name] || environment[name.toLowerCase()] || undefined;
}

function usesProxy(server: URL, noProxy: string): boolean {
  const host = server.hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const port = server.port || (server.protocol === "http:" ? "80" : "443");
  if (host === "localhost" || (isIP(host) !== 0 && LOOPBACK.check(host, familyOf(host)))) return false;
  return !noProxy
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== "" && matches(entry, host, port));
}

/** `*`, `10.0.0.0/8`, `10.0.0.1`, `[::1]:443`, `example.org` (and what is below it), `.example.org` or `*.example.org` (only that), `example.org:6443`. */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  const [address = "", bits = ""] = entry.split("/");
  if (isIP(address) !== 0 && /^\d{1,3}$/.test(bits)) return isInSubnet(host, address, Number(bits));
  const { bracketed, name, only } = /^(?:\[(?<bracketed>[^\]]+)\]|(?<name>[^:]*))(?::(?<only>\d+))?$/.exec(entry)?.groups ?? {};
  const wanted = (bracketed ?? name ?? entry).replace(/^\*\./, ".");
  if (wanted === "" || (only !== undefined && only !== port)) return false;
  if (isIP(wanted) !== 0) return isInSubnet(host, wanted, ALL_BITS[familyOf(wanted)]);
  return wanted.startsWith(".") ? host.endsWith(wanted) : host === wanted || host.endsWith(`.${wanted}`);
}

const ALL_BITS = { ipv4: 32, ipv6: 128 };

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function isInSubnet(host: string, address: string, bits: number): boolean {
  if (isIP(host) === 0 || bits > ALL_BITS[familyOf(address)]) return false;
  const list = new BlockList();
  list.addSubnet(address, bits, familyOf(address));
  return list.check(host, familyOf(host));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 4 ? "ipv4" : "ipv6";
}
