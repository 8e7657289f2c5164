import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ensureImageNode } from "./image-node.ts";
import { cacheDirectory } from "./machine/cache-directory.ts";
import { ensureEmulation } from "./machine/emulation.ts";
import { runCommand } from "./machine/run-command.ts";
import { type Architecture, architectureOf } from "./platforms.ts";

/** The name the Dockerfile builds on. */
export const BASE_IMAGE = "docker.io/library/node:24.21.0-bookworm-slim";

/** What Debian's slim images leave out. */
const LEFT_OUT = ["man", "doc", "info", "locale", "groff", "lintian", "linda", "bug"].map((name) => `/usr/share/${name}/*`);

/** Images and layers of ours alone, apart from what the user of this machine has in buildah's or podman's storage. */
export type Buildah = (...args: string[]) => Promise<string>;

/** One whose storage is in that directory. Nobody else uses it meanwhile: containers of a build that was killed go. */
export async function openBuildah(directory: string): Promise<Buildah> {
  mkdirSync(directory, { recursive: true });
  const buildah: Buildah = (...args) =>
    runCommand("buildah", ["--root", join(directory, "storage"), "--runroot", join(directory, "run"), ...args]);
  await buildah("rm", "--all");
  return buildah;
}

/** Whether the storage has an image of that name. */
export async function hasImage(buildah: Buildah, name: string): Promise<boolean> {
  return (await buildah("images", "--quiet", "--filter", `reference=${name}`)).trim() !== "";
}

/** Writes Debian 12 with these packages as a tar archive, without what Debian's slim images leave out. */
export async function makeDebian(archive: string, packages: readonly string[], ...options: string[]): Promise<void> {
  await runCommand("mmdebstrap", [
    ...["--variant=minbase", `--include=${packages.join(",")}`, "--quiet"],
    ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    ...options,
    ...["bookworm", archive],
  ]);
}

/**
 * Makes, once, an image that stands in for Docker's `node` where no registry with it can be reached: Debian 12 and the Node this
 * checkout runs on, at the same place and with the same user `node`; git, ssh and certificates are there already. Gives a buildah that has it
 * under the real one's name, and nothing for another processor. The caller holds the image lock.
 */
export async function ensureBaseImage(log: (line: string) => void, architecture: Architecture = architectureOf()): Promise<Buildah> {
  const isOwn = architecture === architectureOf();
  // What a Dockerfile runs is run in it each time.
  if (!isOwn) await ensureEmulation(architecture, log);
  const directory = cacheDirectory("image", `base-${baseKey(architecture)}`);
  const buildah = await openBuildah(directory);
  if (await hasImage(buildah, BASE_IMAGE)) return buildah;
  log(`making the image's base (Debian and Node), once; this takes ${isOwn ? "about half a minute" : "some minutes, as it is emulated"}`);
  const archive = join(directory, "debian.tar");
  const addUser = '--customize-hook=chroot "$1" useradd --uid 1000 --user-group --create-home --shell /bin/bash node';
  await makeDebian(archive, ["git", "openssh-client", "ca-certificates"], addUser, `--architectures=${architecture}`);
  const container = (await buildah("from", "scratch")).trim();
  await buildah("add", container, archive, "/");
  rmSync(archive);
  await buildah("copy", "--chmod", "0755", container, await ensureImageNode(architecture), "/usr/local/bin/node");
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  await buildah("config", "--arch", architecture, "--cmd", "node", "--env", path, container);
  await buildah("commit", "--rm", "--quiet", container, BASE_IMAGE);
  return buildah;
}

/** Changes with the recipe and with Node. */
function baseKey(architecture: Architecture): string {
  const recipe = [BASE_IMAGE, ...LEFT_OUT, process.version, architecture, "2"];
  return createHash("sha256").update(recipe.join("\0")).digest("hex").slice(0, 16);
}
