import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { coerceError, InputError, TurboHipsterError } from "../src/runtime/errors.ts";
import { VERSION } from "../src/version.ts";
import { SBOM_FILE } from "./build.ts";
import { ensureGearmandImage, GEARMAND_TAG } from "./gearmand-image.ts";
import { ensureArchive, pushArchive } from "./image-archive.ts";
import { ensureBaseImage } from "./image-base.ts";
import { writeIndexArchive } from "./image-index.ts";
import { qualifyImageName } from "./image-name.ts";
import { renderImageSbom } from "./image-sbom.ts";
import { cacheDirectory } from "./machine/cache-directory.ts";
import { type Architecture, architectureOf, parsePlatforms } from "./platforms.ts";
import { stageProgram } from "./stage-package.ts";

const ROOT = join(import.meta.dirname, "..");
export const DEFAULT_TAG = "turbo-hipster:dev";
/** All that an image depends on; folders with everything below them. */
const INPUTS = ["package.json", "package-lock.json", "tsconfig.json", "src", "bin", "crds", "LICENSE", "deploy/Dockerfile"];
const RECIPES = [
  ...["stage-package", "build", "bundled-packages", "sbom", "platforms"],
  ...["image-archive", "image-base", "image-node", "image-sbom", "image"],
].map((name) => `tools/${name}.ts`);
/** Archives that stay in the cache: of the newest checkouts, for going back and forth between them. */
const KEPT_ARCHIVES = 3;

/**
 * The image of this checkout as an archive (OCI's format, which kind and ctr read, and docker load with containerd's store), from the cache
 * unless something it is made of has changed. `sbom` is a file that lists what is in it. `tag` is the name pods write. Of another processor
 * than this machine's it is built through QEMU. Needs root and Debian's buildah and mmdebstrap, which it installs; throws InputError where
 * that can't be.
 */
export async function ensureImage({
  log,
  tag = DEFAULT_TAG,
  architecture = architectureOf(),
}: {
  log: (line: string) => void;
  tag?: string;
  architecture?: Architecture;
}): Promise<{ archive: string; sbom: string; tag: string }> {
  const reference = qualifyImageName(tag);
  const archive = cacheDirectory("image", `${imageKey(reference, architecture)}.tar`);
  const elsewhere = `docker build --platform linux/${architecture} -f deploy/Dockerfile -t ${tag} .`;
  await ensureArchive(archive, elsewhere, log, () => buildImage(reference, architecture, archive, log));
  return { archive, sbom: sbomOf(archive), tag };
}

/** Beside the archive. */
function sbomOf(archive: string): string {
  return archive.replace(/tar$/, "cdx.json");
}

async function buildImage(reference: string, architecture: Architecture, archive: string, log: (line: string) => void): Promise<void> {
  const started = performance.now();
  const buildah = await ensureBaseImage(log, architecture);
  log(`building the image ${reference} for ${architecture}`);
  const staging = cacheDirectory("image", "staging");
  await stage(staging);
  await buildah(
    ...["bud", "--layers", "--isolation", "chroot", "--pull-never", "--quiet", "--file", join(ROOT, "deploy", "Dockerfile")],
    ...["--arch", architecture, "--tag", reference, "--build-arg", `VERSION=${VERSION}`],
    ...["--build-context", `package=${join(staging, "package")}`, join(staging, "context")],
  );
  const ofProgram = join(staging, "package", "program", "dist", SBOM_FILE);
  writeFileSync(sbomOf(archive), await renderImageSbom(buildah, reference, ofProgram, architecture));
  await pushArchive(buildah, reference, archive);
  // The layers that the next build can use again stay: they belong to the newest image.
  await buildah("rmi", "--prune");
  for (const old of listArchives().slice(KEPT_ARCHIVES)) for (const file of [old, sbomOf(old)]) rmSync(file, { force: true });
  log(`built it in ${((performance.now() - started) / 1000).toFixed(1)} s, ${Math.round(statSync(archive).size / 1e6)} MB`);
}

/** Fills what the Dockerfile's stage `package` would make. */
async function stage(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  await stageProgram(join(directory, "package", "program"));
  mkdirSync(join(directory, "context"), { recursive: true });
}

/** The archives in the cache, the last used first. */
function listArchives(): string[] {
  const directory = cacheDirectory("image");
  const archives = readdirSync(directory).filter((entry) => entry.endsWith(".tar"));
  return archives.map((entry) => join(directory, entry)).sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
}

function imageKey(reference: string, architecture: Architecture): string {
  const hash = createHash("sha256").update(`${reference}\0${process.version}\0${architecture}\0`);
  for (const file of [...INPUTS, ...RECIPES].flatMap((input) => listFiles(join(ROOT, input)))) {
    hash
      .update(`${file.slice(ROOT.length)}\0`)
      .update(readFileSync(file))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

function listFiles(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((entry) => listFiles(join(path, entry)));
}

interface Wanted {
  gearmand?: boolean;
  output?: string;
  platform?: string;
  sbom?: string;
  tag?: string;
}

function parseCommandLine(): Wanted {
  return new Command("npm run image --")
    .description(
      "Builds the image of this checkout, deploy/Dockerfile, as an archive for npm run cluster -- load, kind load image-archive or ctr.",
    )
    .addOption(
      new Option("--gearmand", "the Gearman server for trials instead, deploy/gearmand/Dockerfile").conflicts(["platform", "sbom"]),
    )
    .option("--output <file>", "write the archive here as well")
    .option("--platform <list>", "linux/amd64, linux/arm64, or both as one index (default: this machine's; another is emulated, slowly)")
    .option("--sbom <file>", "write here what is in the image: packages and their versions, CycloneDX 1.6")
    .option("--tag <name>", `the image's name (default: ${DEFAULT_TAG}; ${GEARMAND_TAG})`)
    .parse()
    .opts<Wanted>();
}

async function main(): Promise<void> {
  const wanted = parseCommandLine();
  const log = (line: string) => console.error(line);
  const options = wanted.tag === undefined ? { log } : { log, tag: wanted.tag };
  const [architecture, ...others] = wanted.platform === undefined ? [architectureOf()] : parsePlatforms(wanted.platform);
  if (others.length > 0) return writeSeveral([architecture, ...others], options, wanted);
  const image = wanted.gearmand ? await ensureGearmandImage(options) : await ensureProgramImage({ ...options, architecture }, wanted.sbom);
  const archive = wanted.output === undefined ? image.archive : resolve(wanted.output);
  if (archive !== image.archive) copyFileSync(image.archive, archive);
  const usage =
    architecture === architectureOf()
      ? `load it with\n  npm run cluster -- load ${archive}   (--name NAME for another cluster than the default one)`
      : pushLine("", archive, image.tag);
  console.log(`${image.tag} is in ${archive}; ${usage}`);
}

type ImageOptions = Parameters<typeof ensureImage>[0];

async function ensureProgramImage(options: ImageOptions, sbom: string | undefined) {
  const image = await ensureImage(options);
  if (sbom !== undefined) copyFileSync(image.sbom, resolve(sbom));
  return image;
}

/** The images of several processors in one archive, which the cache does not keep. */
async function writeSeveral(architectures: readonly Architecture[], options: ImageOptions, { output, sbom }: Wanted): Promise<void> {
  if (output === undefined) throw new InputError("--platform: images of two processors come in one archive; say where with --output FILE");
  if (sbom !== undefined) throw new InputError("--sbom: each processor's image has its own; ask for one --platform at a time");
  const archives: string[] = [];
  for (const architecture of architectures) archives.push((await ensureImage({ ...options, architecture })).archive);
  const [archive, { tag = DEFAULT_TAG }] = [resolve(output), options];
  await writeIndexArchive(archives, qualifyImageName(tag), archive);
  console.log(`${tag} is in ${archive}; ${pushLine("--all ", archive, tag)}`);
}

function pushLine(flags: string, archive: string, tag: string): string {
  return `push it with\n  skopeo copy ${flags}oci-archive:${archive} docker://${tag}`;
}

if (import.meta.main) {
  await main().catch((thrown) => {
    const error = coerceError(thrown);
    console.error(error instanceof TurboHipsterError ? error.message : error);
    process.exitCode = 1;
  });
}
