import { InputError } from "../../runtime/errors.ts";

const DEFAULT_PORT = 4730;

interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** "host:port", "host" or "[2001:db8::1]:port"; the port is 4730 when left out. Throws InputError. */
export function parseServerAddress(text: string): ServerAddress {
  const match = /^(?:\[(?<literal>[0-9A-Fa-f:.%a-z]+)\]|(?<name>[^\s:[\]/]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  const port = match?.groups?.port === undefined ? DEFAULT_PORT : Number(match.groups.port);
  const host = match?.groups?.literal ?? match?.groups?.name;
  if (host === undefined || port < 1 || port > 65_535) {
    throw new InputError(`"${text}" is no Gearman server: write it as host:port, for example zuul.example.org:4730`);
  }
  return { host, port };
}
