import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { BASE_IMAGE, ensureBaseImage } from "../../../tools/image-base.ts";
import { qualifyImageName } from "../../../tools/image-name.ts";
import { cacheDirectory } from "../../../tools/machine/cache-directory.ts";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { withFileLock } from "../../../tools/machine/file-lock.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { tellProgress } from "../progress.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** Of the first commit with a chart, b392464: git archive b392464 src package.json charts. */
const SOURCE = join(ROOT, "tests/fixtures/first-version/source.tar.gz");
const TAG = "turbo-hipster:first";
/** What packages of CommonJS expect to be there. */
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

interface FirstVersion {
  /** Directory of the chart. */
  chart: string;
  /** For `loadImage`. */
  archive: string;
  tag: string;
}

/**
 * The chart and the program as they were when there first was a chart; the program with the packages of today and on the base image of today. Made
 * once. Needs root.
 */
export async function ensureFirstVersion(): Promise<FirstVersion> {
  const recipe = [
    readFileSync(SOURCE),
    readFileSync(import.meta.filename),
    readFileSync(join(ROOT, "package-lock.json")),
    process.version,
    process.arch,
  ];
  const key = recipe.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");
  const directory = cacheDirectory("image", `first-${key.slice(0, 16)}`);
  const made = { chart: join(directory, "charts/turbo-hipster"), archive: join(directory, "image.tarball"), tag: TAG };
  if (existsSync(directory)) return made;
  await ensureDebianPackages(["buildah", "mmdebstrap", "util-linux"], tellProgress);
  const onWait = () => tellProgress("waiting for another build of an image to end ...");
  await withFileLock(cacheDirectory("image", "lock"), onWait, async () => {
    if (!existsSync(directory)) await makeFirstVersion(directory);
  });
  return made;
}

async function makeFirstVersion(directory: string): Promise<void> {
  tellProgress("making an image of the first version ...");
  const unfinished = `${directory}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  await runCommand("tar", ["--extract", "--file", SOURCE, "--directory", unfinished]);
  await bundle(unfinished);
  const program = join(unfinished, "program");
  for (const part of ["package.json", "dist"]) cpSync(join(unfinished, part), join(program, part), { recursive: true });
  const buildah = await ensureBaseImage(tellProgress);
  const container = (await buildah("from", "--pull-never", BASE_IMAGE)).trim();
  await buildah("copy", container, program, "/opt/turbo-hipster");
  const entry = JSON.stringify(["node", "/opt/turbo-hipster/dist/main.js"]);
  await buildah("run", "--isolation", "chroot", container, "ln", "-s", "/opt/turbo-hipster/dist/main.js", "/usr/local/bin/turbo-hipster");
  await buildah("config", "--user", "1000:1000", "--workingdir", "/home/node", "--cmd", "", "--entrypoint", entry, container);
  const reference = qualifyImageName(TAG);
  await buildah("commit", "--rm", "--quiet", container, reference);
  await buildah("push", "--quiet", reference, `oci-archive:${join(unfinished, "image.tarball")}:${reference}`);
  await buildah("rmi", reference);
  renameSync(unfinished, directory);
}

async function bundle(directory: string): Promise<void> {
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  await build({
    ...{ entryPoints: { main: join(directory, "src/main.ts") }, outdir: join(directory, "dist"), absWorkingDir: directory },
    ...{ bundle: true, splitting: true, format: "esm", platform: "node", target: "node24", legalComments: "none", logLevel: "silent" },
    // That command was not there yet; the program names it, and loads it when it is asked for.
    ...{ external: ["./commands/submit.ts"], banner: { js: `#!/usr/bin/env node\n${REQUIRE}` } },
  });
  rmSync(join(directory, "node_modules"));
}
