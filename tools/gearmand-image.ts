import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { VERSION } from "../src/version.ts";
import { ensureArchive, pushArchive } from "./image-archive.ts";
import { hasImage, makeDebian, openBuildah } from "./image-base.ts";
import { qualifyImageName } from "./image-name.ts";
import { cacheDirectory } from "./machine/cache-directory.ts";

const DIRECTORY = join(import.meta.dirname, "..", "deploy", "gearmand");
const DOCKERFILE = join(DIRECTORY, "Dockerfile");
/** The name the Dockerfile builds on. */
const BASE_IMAGE = "docker.io/library/debian:bookworm-slim";
export const GEARMAND_TAG = "turbo-hipster-gearmand:dev";

/**
 * The image of the chart's Gearman server for trials, as `ensureImage` gives the program's: an archive, from the cache unless its Dockerfile or
 * the version has changed. Throws as that does.
 */
export async function ensureGearmandImage({
  log,
  tag = GEARMAND_TAG,
}: {
  log: (line: string) => void;
  tag?: string;
}): Promise<{ archive: string; tag: string }> {
  const reference = qualifyImageName(tag);
  const key = createHash("sha256").update([reference, VERSION, process.arch, readFileSync(DOCKERFILE)].join("\0"));
  const archive = cacheDirectory("gearmand-image", `${key.digest("hex").slice(0, 16)}.tar`);
  const elsewhere = `docker build -t ${tag} --build-arg VERSION=${VERSION} deploy/gearmand`;
  await ensureArchive(archive, elsewhere, log, () => buildImage(reference, archive, log));
  return { archive, tag };
}

/** Builds over Debian with gearmand in it already, which stands in for the slim image where no registry with it can be reached. */
async function buildImage(reference: string, archive: string, log: (line: string) => void): Promise<void> {
  const directory = dirname(archive);
  const buildah = await openBuildah(directory);
  if (!(await hasImage(buildah, BASE_IMAGE))) {
    log("making the base of gearmand's image (Debian), once; this takes about half a minute");
    const debian = join(directory, "debian.tgz");
    await makeDebian(debian, ["gearman-job-server"]);
    const container = (await buildah("from", "scratch")).trim();
    await buildah("add", container, debian, "/");
    rmSync(debian);
    await buildah("commit", "--rm", "--quiet", container, BASE_IMAGE);
  }
  log(`building the image ${reference}`);
  await buildah(
    ...["bud", "--isolation", "chroot", "--pull-never", "--quiet", "--file", DOCKERFILE],
    ...["--tag", reference, "--build-arg", `VERSION=${VERSION}`, DIRECTORY],
  );
  for (const old of readdirSync(directory).filter((entry) => entry.endsWith(".tar"))) rmSync(join(directory, old));
  await pushArchive(buildah, reference, archive);
  await buildah("rmi", "--prune");
  log(`built it, ${Math.round(statSync(archive).size / 1e6)} MB`);
}
