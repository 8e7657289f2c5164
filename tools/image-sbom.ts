import { readFileSync } from "node:fs";
import { VERSION } from "../src/version.ts";
import type { Buildah } from "./image-base.ts";
import type { Architecture } from "./platforms.ts";
import { npmComponent, parseDebianComponents, parseSbomParts, renderSbom } from "./sbom.ts";

/**
 * A bill of materials of an image in that storage: the program's parts, from the file that it has of them; the Node that it runs on; Debian's
 * packages, as the image itself tells them.
 */
export async function renderImageSbom(buildah: Buildah, reference: string, ofProgram: string, architecture: Architecture): Promise<string> {
  const container = (await buildah("from", "--pull-never", "--arch", architecture, reference)).trim();
  try {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills it in
    const query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\\n"];
    const packages = await buildah("run", "--isolation", "chroot", container, "--", ...query);
    const release = await buildah("run", "--isolation", "chroot", container, "--", "cat", "/etc/debian_version");
    const [name = "", tag = ""] = reference.split(/:(?=[^:]*$)/);
    const purl = `pkg:oci/${name.split("/").at(-1)}?arch=${architecture}&repository_url=${encodeURIComponent(name)}&tag=${tag}`;
    return renderSbom({ type: "container", name, version: tag, purl }, [
      npmComponent("application", "turbo-hipster", VERSION, "Apache-2.0"),
      ...parseSbomParts(readFileSync(ofProgram, "utf8")),
      { type: "platform", name: "node", version: process.versions.node, purl: `pkg:generic/node@${process.versions.node}` },
      ...parseDebianComponents(packages, release.trim()),
    ]);
  } finally {
    await buildah("rm", container);
  }
}
