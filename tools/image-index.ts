import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBuildah } from "./image-base.ts";

/**
 * Writes an archive of OCI's format, whole or not at all, in which `reference` names an index of the images in `archives`, each of another
 * processor and alone in an archive of that format. Whoever pulls what is copied from it with `skopeo copy --all` gets the one of its own.
 */
export async function writeIndexArchive(archives: readonly string[], reference: string, file: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "th-index-"));
  const unfinished = `${file}.unfinished`;
  try {
    const buildah = await openBuildah(directory);
    await buildah("manifest", "create", reference);
    for (const archive of archives) await buildah("manifest", "add", reference, `oci-archive:${archive}`);
    rmSync(unfinished, { force: true });
    await buildah("manifest", "push", "--all", "--format", "oci", "--quiet", reference, `oci-archive:${unfinished}:${reference}`);
    renameSync(unfinished, file);
  } finally {
    rmSync(unfinished, { force: true });
    rmSync(directory, { recursive: true, force: true });
  }
}
