import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startChild } from "./child-process.ts";
import { ensureDebianPackages } from "./debian.ts";

export interface PythonVenv {
  /** Path of its interpreter. */
  python: string;
}

/** Zuul as the world ran it with Gearman; a later one speaks to its executors through ZooKeeper. */
export const ZUUL_VERSION = "2.6.0";

/** How long another process may take that makes it, or this one on a slow network. */
const MAKE_TIMEOUT_MS = 10 * 60_000;

const execute = promisify(execFile);
const requirementsFile = fileURLToPath(new URL("zuul/requirements.txt", import.meta.url));
const makerFile = fileURLToPath(new URL("zuul/make_venv.py", import.meta.url));
let memo: Promise<PythonVenv> | undefined;

/**
 * The Python environment with gear and Zuul, made once per requirements and interpreter under $XDG_CACHE_HOME/turbo-hipster.
 * Safe to call from many processes at once. Rejects with what to install where the system's Python cannot make one.
 */
export function ensurePythonVenv(): Promise<PythonVenv> {
  memo ??= makePythonVenv();
  return memo;
}

async function makePythonVenv(): Promise<PythonVenv> {
  const system = await findSystemPython();
  const key = createHash("sha256").update(readFileSync(requirementsFile)).update(`${ZUUL_VERSION}\n${system.path}\n${system.version}`);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const directory = join(cache, "turbo-hipster", `venv-${key.digest("hex").slice(0, 16)}`);
  const python = join(directory, "bin", "python");
  if (existsSync(join(directory, "complete"))) return { python };

  const child = await startChild({
    command: system.path,
    args: [makerFile, directory, requirementsFile, ZUUL_VERSION],
    onLine: () => {},
    onErrorLine: (line) => process.stderr.write(`${line}\n`),
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), MAKE_TIMEOUT_MS);
  const { code, signal } = await child.exited;
  clearTimeout(timer);
  if (code !== 0) {
    throw new Error(`cannot make the Python environment in ${directory} (${signal ?? `exit ${code}`}); is PyPI reachable?\n${child.log()}`);
  }
  return { python };
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
    await ensureDebianPackages(["python3", "python3-venv"]);
  } catch (error) {
    throw new Error(`no python3 that can make a virtual environment: ${remedy}`, { cause: error });
  }
  const installed = await probePython("/usr/bin/python3");
  if (!installed) throw new Error(`/usr/bin/python3 cannot make a virtual environment: ${remedy}`);
  return installed;
}

async function probePython(command: string): Promise<SystemPython | undefined> {
  const program =
    "import ensurepip, json, os, sys, venv; assert sys.version_info >= (3, 9); print(json.dumps([os.path.realpath(sys.executable), sys.version]))";
  try {
    const { stdout } = await execute(command, ["-c", program]);
    const [path, version] = JSON.parse(stdout) as [string, string];
    return { path, version };
  } catch {
    return undefined; // not there, too old or without venv: the caller tries the next
  }
}
