import { InputError } from "../../runtime/errors.ts";

/** A build at an operator's public port. */
export interface BuildPlace {
  /** Without a slash at the end. */
  base: string;
  number: string;
}

const NUMBER = /^[a-z0-9][-a-z0-9.]{0,252}$/;

/** Where `kubectl port-forward` puts the public port. */
export const DEFAULT_URL = "http://127.0.0.1:8080";

/** A build by its number, or by the address of its page, which says where its operator is. Throws InputError. */
export function parseBuildPlace(build: string, url: string): BuildPlace {
  if (/^https?:/i.test(build)) {
    const place = placeOfPage(build);
    if (!place) throw new InputError(`${build} is no address of a build's page: those end with /builds/NUMBER`);
    return place;
  }
  if (!NUMBER.test(build))
    throw new InputError(`${JSON.stringify(build.slice(0, 80))} is no build's number, as nova-unit-0123456789abcdef is`);
  const base = URL.parse(url);
  if (!base || !/^https?:$/.test(base.protocol)) throw new InputError(`--url ${url}: write an http or https URL`);
  return { base: `${base.origin}${base.pathname.replace(/\/+$/, "")}`, number: build };
}

/** undefined for what is no address of a build's page. */
export function placeOfPage(address: string): BuildPlace | undefined {
  const url = URL.parse(address);
  const [, path, number] = /^(.*)\/builds\/([a-z0-9][-a-z0-9.]{0,252})(?:\/.*)?$/.exec(url?.pathname ?? "") ?? [];
  if (!url || !/^https?:$/.test(url.protocol) || path === undefined || number === undefined) return undefined;
  return { base: `${url.origin}${path}`, number };
}
