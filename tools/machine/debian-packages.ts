import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { systemClock } from "../../src/runtime/clock.ts";
import { InputError } from "../../src/runtime/errors.ts";
import { withFileLock } from "./file-lock.ts";
import { CommandError, runCommand } from "./run-command.ts";

const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY_MARK = "# Written by turbo-hipster's ensureDebianPackages";

/**
 * Installs those of the Debian packages that are missing; needs root and apt-get. Does nothing, quickly, when all are there. Services that
 * packages bring along are not started. Waits for others who are installing. Throws InputError with the command to type when it can't.
 */
export async function ensureDebianPackages(names: readonly string[], log: (line: string) => void): Promise<void> {
  if ((await missingPackages(names)).length === 0) return;
  const remedy = `apt-get install ${names.join(" ")}`;
  if (!existsSync("/usr/bin/apt-get")) {
    throw new InputError(
      `these programs are needed, under the names Debian's packages have: ${names.join(", ")}; there is no apt-get here to install them`,
    );
  }
  if (process.getuid?.() !== 0) throw new InputError(`missing Debian packages and not root; run: sudo ${remedy}`);
  await withFileLock(
    "/var/lock/turbo-hipster-apt.lock",
    () => log("waiting for another installation of Debian packages"),
    async () => {
      const missing = await missingPackages(names);
      if (missing.length === 0) return;
      log(`installing Debian packages: ${missing.join(" ")}`);
      try {
        await withoutServiceStarts(() => install(missing));
      } catch (error) {
        throw new InputError(`could not install Debian packages; try by hand: ${remedy}\n${(error as Error).message}`, { cause: error });
      }
    },
  );
}

/** Those of the packages that dpkg does not have installed; all of them where there is no dpkg. */
async function missingPackages(names: readonly string[]): Promise<string[]> {
  let listed: string;
  try {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the fields are dpkg-query's.
    listed = await runCommand("dpkg-query", ["--show", "--showformat", "${Package} ${db:Status-Status}\n", ...names]);
  } catch (error) {
    // dpkg-query ends with 1 when it does not know one of the names; then each is asked for alone.
    if (!(error instanceof CommandError) || error.exitCode === null) return [...names];
    if (names.length === 1) return [...names];
    return (await Promise.all(names.map((name) => missingPackages([name])))).flat();
  }
  const installed = new Set(
    listed
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  return names.filter((name) => !installed.has(name));
}

async function install(names: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  const apt = async (...args: string[]) => {
    // DPkg::Lock::Timeout waits for dpkg's lock only; the locks of the lists and of the archive fail at once.
    for (let tries = 1; ; tries++) {
      try {
        return await runCommand("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=600", ...args], { env });
      } catch (error) {
        if (tries === 300 || !(error instanceof CommandError && /Could not get lock|Unable to lock/.test(error.stderr))) throw error;
        await systemClock.sleep(2000);
      }
    }
  };
  const args = ["install", "--no-install-recommends", ...names];
  // The package lists may be missing (a fresh container) or name versions that are no longer served.
  await apt(...args).catch(async () => {
    await apt("update");
    await apt(...args);
  });
}

/**
 * Runs `work` while Debian's policy-rc.d (deb-systemd-invoke(1p), invoke-rc.d(8)) forbids packages to start their services; a policy that
 * is there already is left alone. Ours names this process and forbids nothing once it has ended, even if it could not be removed.
 */
async function withoutServiceStarts(work: () => Promise<void>): Promise<void> {
  const present = existsSync(POLICY_FILE);
  if (present && !readFileSync(POLICY_FILE, "utf8").includes(POLICY_MARK)) return work();
  writeFileSync(POLICY_FILE, `#!/bin/sh\n${POLICY_MARK}\n[ -d /proc/${process.pid} ] && exit 101\nexit 0\n`, { mode: 0o755 });
  try {
    await work();
  } finally {
    rmSync(POLICY_FILE, { force: true });
  }
}
