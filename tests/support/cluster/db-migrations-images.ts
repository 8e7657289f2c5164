import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "../../../tools/machine/cache-directory.ts";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { withFileLock } from "../../../tools/machine/file-lock.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { tellProgress } from "../progress.ts";

export const DB_MIGRATIONS_EXAMPLE = join(import.meta.dirname, "../../../deploy/examples/db-migrations");

/** What the Dockerfile builds on, and what it would install there: no registry is asked here. */
const BASE = "docker.io/library/debian:bookworm-slim";
const PACKAGES = ["mariadb-server-core", "mariadb-client-core", "alembic", "python3-pymysql"];
const LEFT_OUT = ["man", "doc", "info", "locale"].map((name) => `/usr/share/${name}/*`);
/** The images that the example names, by the Dockerfile's stages. */
const TARGETS = { database: "docker.io/library/db-migrations:dev", datasets: "docker.io/library/db-datasets:dev" };
const INPUTS = ["Dockerfile", "make-dataset", "run-migrations", "datasets/*"];

/**
 * Archives of the images of deploy/examples/db-migrations, built once by its own Dockerfile over a base made on the spot; for `loadImage`.
 * Needs root.
 */
export async function ensureDbMigrationsImages(): Promise<string[]> {
  const directory = cacheDirectory("image", `db-migrations-${imagesKey()}`);
  if (!existsSync(directory)) {
    await ensureDebianPackages(["buildah", "mmdebstrap", "util-linux"], tellProgress);
    const onWait = () => tellProgress("waiting for another process that makes the images with MariaDB ...");
    await withFileLock(`${directory}.lock`, onWait, async () => {
      if (!existsSync(directory)) await makeImages(directory);
    });
  }
  return Object.keys(TARGETS).map((target) => join(directory, `${target}.tarball`));
}

async function makeImages(directory: string): Promise<void> {
  tellProgress("making images with MariaDB, alembic and two databases, once (a few minutes) ...");
  const work = `${directory}.work`;
  const [root, made] = [join(work, "debian.tar"), join(work, "images")];
  rmSync(work, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  await runCommand("mmdebstrap", [
    ...["--variant=minbase", `--include=${PACKAGES.join(",")}`, "--quiet"],
    ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    ...["bookworm", root],
  ]);
  const buildah = (...args: string[]) => runCommand("buildah", ["--root", join(work, "storage"), "--runroot", join(work, "run"), ...args]);
  const container = (await buildah("from", "scratch")).trim();
  await buildah("add", container, root, "/");
  await buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container);
  await buildah("commit", "--rm", "--quiet", container, BASE);
  for (const [target, tag] of Object.entries(TARGETS)) {
    await buildah(
      ...["bud", "--layers", "--isolation", "chroot", "--pull-never", "--quiet", "--target", target, "--tag", tag],
      DB_MIGRATIONS_EXAMPLE,
    );
    await buildah("push", "--quiet", tag, `docker-archive:${join(made, `${target}.tarball`)}:${tag}`);
  }
  await buildah("rmi", "--all", "--force");
  renameSync(made, directory);
  rmSync(work, { recursive: true, force: true });
}

function imagesKey(): string {
  const hash = createHash("sha256").update(JSON.stringify([BASE, PACKAGES, LEFT_OUT, TARGETS, process.arch]));
  for (const file of INPUTS.flatMap((input) => globSync(input, { cwd: DB_MIGRATIONS_EXAMPLE }).sort())) {
    const path = join(DB_MIGRATIONS_EXAMPLE, file);
    hash
      .update(`${file} ${statSync(path).mode}\0`)
      .update(readFileSync(path))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}
