import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "../../../tools/machine/cache-directory.ts";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { withFileLock } from "../../../tools/machine/file-lock.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { tellProgress } from "../progress.ts";
import { ensurePythonVenv } from "../zuul/python-venv.ts";

const TAG = "localhost/python-like:1";

/** What a project with pbr needs for its build, here as files: tests ask no registry from within pods. */
const WHEELS = ["pbr==6.1.1", "setuptools==75.8.0", "wheel==0.45.1"];
const ENVIRONMENT = [
  "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
  "PIP_NO_INDEX=1",
  "PIP_FIND_LINKS=/wheels",
  "PIP_DISABLE_PIP_VERSION_CHECK=1",
];

/**
 * An image like `python:3`, made once of Debian's Python: runs as root by default, its site-packages belong to root, pip may install into
 * them (no EXTERNALLY-MANAGED), it has git and no user 1000. Needs root; the archive is for `loadImage`.
 */
export async function ensurePythonImage(): Promise<{ archive: string; tag: string }> {
  const key = createHash("sha256").update(JSON.stringify([TAG, WHEELS, ENVIRONMENT, process.arch]));
  const archive = cacheDirectory("image", `python-${key.digest("hex").slice(0, 16)}.tarball`);
  if (existsSync(archive)) return { archive, tag: TAG };
  await ensureDebianPackages(["buildah", "mmdebstrap", "util-linux"], tellProgress);
  const onWait = () => tellProgress("waiting for another process that makes the Python image ...");
  await withFileLock(`${archive}.lock`, onWait, async () => {
    if (!existsSync(archive)) await makePythonImage(archive);
  });
  return { archive, tag: TAG };
}

async function makePythonImage(archive: string): Promise<void> {
  tellProgress("making an image like python:3, once (a minute) ...");
  const directory = `${archive}.work`;
  const [wheels, root] = [join(directory, "wheels"), join(directory, "debian.tar")];
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(wheels, { recursive: true });
  const { python } = await ensurePythonVenv();
  await runCommand(python, ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, ...WHEELS]);
  await runCommand("mmdebstrap", [
    ...["--variant=minbase", "--include=git,python3,python3-pip", "--quiet", "--dpkgopt=path-exclude=/usr/share/doc/*"],
    '--customize-hook=rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
    ...["bookworm", root],
  ]);
  const buildah = (...args: string[]) =>
    runCommand("buildah", ["--root", join(directory, "storage"), "--runroot", join(directory, "run"), ...args]);
  const container = (await buildah("from", "scratch")).trim();
  await buildah("add", container, root, "/");
  await buildah("add", container, wheels, "/wheels");
  await buildah("config", "--cmd", "python3", ...ENVIRONMENT.flatMap((variable) => ["--env", variable]), container);
  await buildah("commit", "--rm", "--quiet", container, TAG);
  await buildah("push", "--quiet", TAG, `docker-archive:${archive}.unfinished:${TAG}`);
  await buildah("rmi", "--all", "--force");
  renameSync(`${archive}.unfinished`, archive);
  rmSync(directory, { recursive: true, force: true });
}
