/** A bill of materials, CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json/). Equal parts give equal text: it has no time and no serial number. */

export interface Component {
  type: "application" | "container" | "library" | "platform";
  name: string;
  version: string;
  /** https://github.com/package-url/purl-spec */
  purl: string;
  /** SPDX expression. */
  license?: string | undefined;
}

export function renderSbom(subject: Component, parts: readonly Component[]): string {
  const bom = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: renderComponent(subject) },
    components: [...parts].sort((a, b) => (a.purl < b.purl ? -1 : 1)).map(renderComponent),
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}

/** The parts of a bill that was rendered here. */
export function parseSbomParts(text: string): Component[] {
  const { components } = JSON.parse(text) as { components: (Component & { licenses?: [{ expression: string }] })[] };
  return components.map(({ type, name, version, purl, licenses }) => ({ type, name, version, purl, license: licenses?.[0].expression }));
}

function renderComponent({ type, name, version, purl, license }: Component): object {
  return { type, "bom-ref": purl, name, version, purl, ...(license === undefined ? {} : { licenses: [{ expression: license }] }) };
}

export function npmComponent(type: Component["type"], name: string, version: string, license?: string): Component {
  return { type, name, version, purl: `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`, license };
}

/** Lines as of `dpkg-query --showformat '${Package} ${Version} ${Architecture}\n'`; `release` is Debian's, as 12.11. */
export function parseDebianComponents(lines: string, release: string): Component[] {
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", version = "", architecture = ""] = line.split(" ");
      const place = `arch=${architecture}&distro=debian-${release}`;
      return { type: "library", name, version, purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?${place}` };
    });
}
