import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "../../../tools/machine/cache-directory.ts";
import { withFileLock } from "../../../tools/machine/file-lock.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { tellProgress } from "../progress.ts";
import { ensurePythonImage } from "./python-image.ts";

const TAG = "localhost/own-tests:1";

/** Fails; in a directory without it `unittest discover` runs nothing, and Python 3.11 ends with 0. */
const TEST = "import unittest\nclass Sum(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(1 + 1, 3)\n";
const COMMAND = ["python3", "-m", "unittest", "discover"];

/** An image that brings its tests along: its own command, which is to run in its own working directory, and which fails there. */
export async function ensureOwnTestsImage(): Promise<{ archive: string; tag: string }> {
  const base = await ensurePythonImage();
  const key = createHash("sha256")
    .update(JSON.stringify([TAG, base.archive, TEST, COMMAND]))
    .digest("hex");
  const archive = cacheDirectory("image", `own-tests-${key.slice(0, 16)}.tarball`);
  if (existsSync(archive)) return { archive, tag: TAG };
  const onWait = () => tellProgress("waiting for another process that makes the image with tests of its own ...");
  await withFileLock(`${archive}.lock`, onWait, async () => {
    if (!existsSync(archive)) await makeOwnTestsImage(base.archive, archive);
  });
  return { archive, tag: TAG };
}

async function makeOwnTestsImage(base: string, archive: string): Promise<void> {
  tellProgress("making an image with tests of its own, once ...");
  const directory = `${archive}.work`;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, "app"), { recursive: true });
  writeFileSync(join(directory, "app", "test_sum.py"), TEST);
  const buildah = (...args: string[]) =>
    runCommand("buildah", ["--root", join(directory, "storage"), "--runroot", join(directory, "run"), ...args]);
  const container = (await buildah("from", `docker-archive:${base}`)).trim();
  await buildah("add", container, join(directory, "app"), "/app");
  await buildah("config", "--workingdir", "/app", "--cmd", "[]", "--entrypoint", JSON.stringify(COMMAND), container);
  await buildah("commit", "--rm", "--quiet", container, TAG);
  await buildah("push", "--quiet", TAG, `docker-archive:${archive}.unfinished:${TAG}`);
  await buildah("rmi", "--all", "--force");
  renameSync(`${archive}.unfinished`, archive);
  rmSync(directory, { recursive: true, force: true });
}
