import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { coerceError, TurboHipsterError } from "../src/runtime/errors.ts";
import { VERSION } from "../src/version.ts";
import { SBOM_FILE } from "./build.ts";
import { ensureGearmandImage, GEARMAND_TAG } from "./gearmand-image.ts";
import { ensureArchive, pushArchive } from "./image-archive.ts";
import { ensureBaseImage } from "./image-base.ts";
import { qualifyImageName } from "./image-name.ts";
import { renderImageSbom } from "./image-sbom.ts";
import { cacheDirectory } from "./machine/cache-directory.ts";
import { stageProgram } from "./stage-package.ts";

const ROOT = join(import.meta.dirname, "..");
export const DEFAULT_TAG = "turbo-hipster:dev";
/** All that an image depends on; folders with everything below them. */
const INPUTS = ["package.json", "package-lock.json", "tsconfig.json", "src", "bin", "crds", "LICENSE", "deploy/Dockerfile"];
const RECIPES = ["stage-package", "build", "bundled-packages", "sbom", "image-archive", "image-base", "image-sbom", "image"].map(
  (name) => `tools/${name}.ts`,
);
/** Archives that stay in the cache: of the newest checkouts, for going back and forth between them. */
const KEPT_ARCHIVES = 3;

/**
 * The image of this checkout as an archive (OCI's format, which docker load, kind and ctr read), from the cache unless something it is made of has changed.
 * `sbom` is a file that lists what is in it. `tag` is the name pods write. Needs root and Debian's buildah and mmdebstrap, which it installs;
 * throws InputError where that can't be.
 */
export async function ensureImage({
  log,
  tag = DEFAULT_TAG,
}: {
  log: (line: string) => void;
  tag?: string;
}): Promise<{ archive: string; sbom: string; tag: string }> {
  const reference = qualifyImageName(tag);
  const archive = cacheDirectory("image", `${imageKey(reference)}.tar`);
  await ensureArchive(archive, `docker build -f deploy/Dockerfile -t ${tag} .`, log, () => buildImage(reference, archive, log));
  return { archive, sbom: sbomOf(archive), tag };
}

/** Beside the archive. */
function sbomOf(archive: string): string {
  return archive.replace(/tar$/, "cdx.json");
}

async function buildImage(reference: string, archive: string, log: (line: string) => void): Promise<void> {
  const started = performance.now();
  const buildah = await ensureBaseImage(log);
  log(`building the image ${reference}`);
  const staging = cacheDirectory("image", "staging");
  await stage(staging);
  await buildah(
    ...["bud", "--layers", "--isolation", "chroot", "--pull-never", "--quiet", "--file", join(ROOT, "deploy", "Dockerfile")],
    ...["--tag", reference, "--build-arg", `VERSION=${VERSION}`],
    ...["--build-context", `package=${join(staging, "package")}`, join(staging, "context")],
  );
  writeFileSync(sbomOf(archive), await renderImageSbom(buildah, reference, join(staging, "package", "program", "dist", SBOM_FILE)));
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

function imageKey(reference: string): string {
  const hash = createHash("sha256").update(`${reference}\0${process.version}\0${process.arch}\0`);
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

async function main(): Promise<void> {
  const { gearmand, output, sbom, tag } = new Command("npm run image --")
    .description(
      "Builds the image of this checkout, deploy/Dockerfile, as an archive for npm run cluster -- load, kind load image-archive or ctr.",
    )
    .addOption(new Option("--gearmand", "the Gearman server for trials instead, deploy/gearmand/Dockerfile").conflicts("sbom"))
    .option("--output <file>", "write the archive here as well")
    .option("--sbom <file>", "write here what is in the image: packages and their versions, CycloneDX 1.6")
    .option("--tag <name>", `the image's name (default: ${DEFAULT_TAG}; ${GEARMAND_TAG})`)
    .parse()
    .opts<{ gearmand?: boolean; output?: string; sbom?: string; tag?: string }>();
  const options = { log: (line: string) => console.error(line), ...(tag === undefined ? {} : { tag }) };
  const image = gearmand ? await ensureGearmandImage(options) : await ensureProgramImage(options, sbom);
  const archive = output === undefined ? image.archive : resolve(output);
  if (archive !== image.archive) copyFileSync(image.archive, archive);
  console.log(`${image.tag} is in ${archive}; load it with\n  npm run cluster -- load ${archive}`);
}

async function ensureProgramImage(options: { log: (line: string) => void; tag?: string }, sbom: string | undefined) {
  const image = await ensureImage(options);
  if (sbom !== undefined) copyFileSync(image.sbom, resolve(sbom));
  return image;
}

if (import.meta.main) {
  await main().catch((thrown) => {
    const error = coerceError(thrown);
    console.error(error instanceof TurboHipsterError ? error.message : error);
    process.exitCode = 1;
  });
}
