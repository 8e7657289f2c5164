import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory } from "../../../tools/machine/cache-directory.ts";
import { ensureDebianPackages } from "../../../tools/machine/debian-packages.ts";
import { withFileLock } from "../../../tools/machine/file-lock.ts";
import { runCommand } from "../../../tools/machine/run-command.ts";
import { startChild } from "../child-process.ts";
import { tellProgress } from "../progress.ts";

interface PythonVenv {
  /** Path of its interpreter. */
  python: string;
}

/** Zuul as the world ran it with Gearman. */
const ZUUL_VERSION = "2.6.0";

const requirementsFile = fileURLToPath(new URL("requirements.txt", import.meta.url));
let memo: Promise<PythonVenv> | undefined;

/**
 * The Python environment with gear and Zuul, made once per requirements and interpreter under $XDG_CACHE_HOME/turbo-hipster.
 * Safe to call from many processes at once and to kill half-way. Rejects with what to install where Python cannot make one.
 */
export function ensurePythonVenv(): Promise<PythonVenv> {
  memo ??= makePythonVenv();
  return memo;
}

async function makePythonVenv(): Promise<PythonVenv> {
  const system = await findSystemPython();
  const key = createHash("sha256").update(readFileSync(requirementsFile)).update(`${ZUUL_VERSION}\n${system.path}\n${system.version}`);
  const directory = cacheDirectory(`venv-${key.digest("hex").slice(0, 16)}`);
  const python = join(directory, "bin", "python");
  // An environment cannot be moved after it was made, so it is made in place and this file says that it is whole.
  const marker = join(directory, "complete");
  if (existsSync(marker)) return { python };
  const onWait = () => tellProgress("waiting for another process that makes the Python environment ...");
  await withFileLock(`${directory}.lock`, onWait, async () => {
    if (existsSync(marker)) return;
    tellProgress(`making the Python environment with gear and Zuul ${ZUUL_VERSION} in ${directory} (under a minute) ...`);
    rmSync(directory, { recursive: true, force: true });
    await runPython(system.path, "-m", "venv", directory);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    await runPython(python, ...pip, "-r", requirementsFile);
    await runPython(python, ...pip, `zuul==${ZUUL_VERSION}`);
    writeFileSync(marker, "");
  });
  return { python };
}

/** As a child that dies with this process: the lock does too, and nobody else may write to the environment then. */
async function runPython(python: string, ...args: string[]): Promise<void> {
  const child = await startChild({ command: python, args });
  const { code, signal } = await child.exited;
  if (code !== 0)
    throw new Error(`${python} ${args.join(" ")} ended with ${signal ?? `exit code ${code}`}; is PyPI reachable?\n${child.log()}`);
}

interface SystemPython {
  path: string;
  version: string;
}

/** The first of PATH's and the system's python3 that is new enough and can make environments. */
async function findSystemPython(): Promise<SystemPython> {
  const found = (await probePython("python3")) ?? (await probePython("/usr/bin/python3"));
  if (found) return found;
  const remedy = "install Python 3.9 or later with its venv module (Debian: apt-get install python3 python3-venv)";
  try {
    await ensureDebianPackages(["python3", "python3-venv"], tellProgress);
  } catch (error) {
    throw new Error(`no python3 that can make a virtual environment: ${remedy}`, { cause: error });
  }
  const installed = await probePython("/usr/bin/python3");
  if (!installed) throw new Error(`/usr/bin/python3 cannot make a virtual environment: ${remedy}`);
  return installed;
}

const PROBE = `
import ensurepip, json, os, sys, venv
assert sys.version_info >= (3, 9)
print(json.dumps([os.path.realpath(sys.executable), sys.version]))`;

async function probePython(command: string): Promise<SystemPython | undefined> {
  try {
    const [path, version] = JSON.parse(await runCommand(command, ["-c", PROBE])) as [string, string];
    return { path, version };
  } catch {
    return undefined; // not there, too old or without venv: the caller tries the next
  }
}
