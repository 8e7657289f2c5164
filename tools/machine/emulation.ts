import { existsSync } from "node:fs";
import { InputError } from "../../src/runtime/errors.ts";
import { ensureDebianPackages } from "./debian-packages.ts";
import { runCommand } from "./run-command.ts";

const REGISTERED = "/proc/sys/fs/binfmt_misc";
/** What QEMU calls the processors that Debian calls otherwise. */
const QEMU_NAMES: Readonly<Record<string, string>> = { amd64: "x86_64", arm64: "aarch64" };

/**
 * Has this machine run programs of another processor (Debian's name for it) through QEMU, unless it does already; needs root and Debian. What
 * it installs stays, and what it tells the kernel does until that starts again. Throws InputError where it can't be.
 */
export async function ensureEmulation(architecture: string, log: (line: string) => void): Promise<void> {
  // By itself it asks the kernel nothing but to run a small program.
  await ensureDebianPackages(["arch-test"], log);
  if (await canRun(architecture)) return;
  log(`having the kernel run programs for ${architecture} through QEMU (binfmt_misc)`);
  await ensureDebianPackages(["qemu-user-static", "binfmt-support"], log);
  try {
    if (!existsSync(`${REGISTERED}/register`)) await runCommand("mount", ["-t", "binfmt_misc", "binfmt_misc", REGISTERED]);
    await runCommand("update-binfmts", ["--enable", `qemu-${QEMU_NAMES[architecture] ?? architecture}`]);
  } catch (error) {
    throw new InputError(`programs for ${architecture} cannot be run on this machine\n${(error as Error).message}`, { cause: error });
  }
  if (!(await canRun(architecture))) throw new InputError(`programs for ${architecture} cannot be run on this machine, even with QEMU`);
}

async function canRun(architecture: string): Promise<boolean> {
  return runCommand("arch-test", [architecture]).then(
    () => true,
    () => false,
  );
}
