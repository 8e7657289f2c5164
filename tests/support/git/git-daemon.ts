import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Child, startChild } from "../child-process.ts";
import { findFreePort } from "../free-port.ts";

export interface GitDaemon {
  readonly port: number;
  /** `git://<host>:<port>`: what Zuul sends as ZUUL_URL. */
  readonly url: string;
  readonly child: Child;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;
const PORT_TRIES = 5;

/** Serves every repository below `root` with the real `git daemon`. `host` is also where it listens; `0.0.0.0` for pods, with an `url` of your own. */
export async function startGitDaemon(root: string, options: { host?: string; port?: number } = {}): Promise<GitDaemon> {
  const host = options.host ?? "127.0.0.1";
  // Not `git daemon`: that starts git-daemon as a child of its own, which outlives a SIGKILL.
  const command = join((await promisify(execFile)("git", ["--exec-path"])).stdout.trim(), "git-daemon");
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await findFreePort(host));
    const child = await startChild({
      command,
      args: ["--export-all", `--base-path=${root}`, `--listen=${host}`, `--port=${port}`, "--reuseaddr", "--verbose", root],
      // The repositories may belong to another user than the one who serves them.
      env: {
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "safe.directory",
        GIT_CONFIG_VALUE_0: "*",
      },
    });
    try {
      await child.logged("Ready to rumble", START_TIMEOUT_MS);
      return { port, url: `git://${host}:${port}`, child, stop: async () => void (await child.stop()) };
    } catch (error) {
      await child.stop();
      if (options.port !== undefined || attempt >= PORT_TRIES) throw error;
    }
  }
}
