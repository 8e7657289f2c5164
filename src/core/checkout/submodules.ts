import { type GitUrl, parseGitUrl, quoteForPeople } from "./git-url.ts";
import { CheckoutError } from "./problem.ts";

/** A submodule as `.gitmodules` declares it: all of it is hostile text. */
export interface Submodule {
  name: string;
  path: string;
  url: string;
  /** `update = none`: git leaves it empty unless it is asked for by name. */
  isLeft: boolean;
}

/** A longer list is nobody's, and each of them is a fetch. */
const MAX_SUBMODULES = 200;

/**
 * Reads what `git config --null --list` says of a `.gitmodules`: `submodule.<name>.<field>`, a newline, the value. The name may hold dots; git has
 * its field in lower case. By path, the first that names it.
 */
export function readSubmodules(records: readonly string[]): Map<string, Submodule> {
  const fields = new Map<string, Map<string, string>>();
  for (const record of records) {
    const found = /^submodule\.(?<name>[^\n]+)\.(?<field>path|url|update)\n(?<value>[\s\S]*)$/.exec(record)?.groups;
    if (!found?.name || !found.field) continue;
    const ofName = fields.get(found.name) ?? new Map<string, string>();
    fields.set(found.name, ofName.set(found.field, found.value ?? ""));
  }
  const byPath = new Map<string, Submodule>();
  for (const [name, values] of fields) {
    const [path, url] = [values.get("path"), values.get("url")];
    if (path === undefined || url === undefined || byPath.has(path)) continue;
    byPath.set(path, { name, path, url, isLeft: values.get("update") === "none" });
  }
  if (byPath.size > MAX_SUBMODULES) {
    throw new CheckoutError(
      "configuration",
      `.gitmodules declares more than ${MAX_SUBMODULES} submodules - set checkout.submodules to false`,
    );
  }
  return byPath;
}

/**
 * The URL of a submodule. One that begins with `./` or `../` goes on from its project's (`git help submodule`, "add"), and never to another host;
 * `user@host:path` is ssh's short form.
 */
export function resolveSubmoduleUrl(text: string, project: GitUrl): GitUrl {
  if (/^\.\.?(\/|$)/.test(text)) return resolveRelative(text, project);
  const short = /^(?<login>[A-Za-z0-9._-]+@[A-Za-z0-9._-]+):(?!\/\/)\/?(?<path>.*)$/.exec(text)?.groups;
  const parsed = parseGitUrl(short ? `ssh://${short.login}/${short.path}` : text);
  if (!parsed.ok) throw new CheckoutError("configuration", `its URL ${parsed.problem}`);
  return parsed.url;
}

function resolveRelative(text: string, project: GitUrl): GitUrl {
  const segments = project.path.split("/").slice(1);
  for (const segment of text.split("/")) {
    if (segment === "." || segment === "") continue;
    if (segment !== "..") segments.push(segment);
    else if (segments.pop() === undefined)
      throw new CheckoutError("configuration", `its URL ${quoteForPeople(text)} leads above the host's root`);
  }
  const parsed = parseGitUrl(`https://h/${segments.join("/")}`);
  if (!parsed.ok) throw new CheckoutError("configuration", `its URL ${parsed.problem}`);
  return { ...project, path: parsed.url.path };
}

/** Whether a URL of a submodule is told relative to its project's. */
export function isRelative(text: string): boolean {
  return /^\.\.?(\/|$)/.test(text);
}
