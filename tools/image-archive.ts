import { existsSync, renameSync, rmSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { InputError } from "../src/runtime/errors.ts";
import type { Buildah } from "./image-base.ts";
import { ensureDebianPackages } from "./machine/debian-packages.ts";
import { withFileLock } from "./machine/file-lock.ts";

/**
 * Has `build` write an archive of the cache, unless it is there; one process at a time. Needs root and Debian's buildah and mmdebstrap, which it
 * installs; throws InputError with what to do `elsewhere` where that can't be.
 */
export async function ensureArchive(
  archive: string,
  elsewhere: string,
  log: (line: string) => void,
  build: () => Promise<void>,
): Promise<void> {
  if (!existsSync(archive)) {
    if (process.platform !== "linux" || process.getuid?.() !== 0) {
      throw new InputError(`npm run image needs Linux and root; elsewhere: ${elsewhere}`);
    }
    await ensureDebianPackages(["buildah", "mmdebstrap", "util-linux"], log);
    await withFileLock(
      join(dirname(archive), "lock"),
      () => log("waiting for another build of the image to end"),
      async () => {
        if (!existsSync(archive)) await build();
      },
    );
  }
  // The age of an archive in the cache is the time since its last use.
  utimesSync(archive, new Date(), new Date());
}

/** Writes an image of that storage as an archive of OCI's format, whole or not at all. */
export async function pushArchive(buildah: Buildah, reference: string, archive: string): Promise<void> {
  rmSync(`${archive}.unfinished`, { force: true });
  // buildah compresses the layers of such an archive, which takes a while; containerd then loads it in half the time.
  await buildah("push", "--quiet", reference, `oci-archive:${archive}.unfinished:${reference}`);
  renameSync(`${archive}.unfinished`, archive);
}
