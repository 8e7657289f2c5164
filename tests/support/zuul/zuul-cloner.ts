import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChild } from "../child-process.ts";
import { ensurePythonVenv } from "./python-venv.ts";

export interface ClonerOptions {
  gitUrl: string;
  projects: readonly string[];
  branch?: string | undefined;
  projectBranches?: Readonly<Record<string, string>> | undefined;
}

/** What the cloner left: the commit of each project, or how it ended where it failed. */
export type ClonerResult = { commits: Record<string, string> } | { failure: string };

/** Lets Zuul 2.6's own zuul-cloner check out projects into an empty workspace, with the parameters as its environment, as Jenkins ran it. */
export async function runZuulCloner(parameters: Readonly<Record<string, string>>, options: ClonerOptions): Promise<ClonerResult> {
  const { python } = await ensurePythonVenv();
  const workspace = await realpath(await mkdtemp(join(tmpdir(), "turbo-hipster-cloner-")));
  try {
    const git = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0", HOME: workspace };
    const child = await startChild({
      command: python,
      args: [
        ...[fileURLToPath(new URL("cloner.py", import.meta.url)), "--workspace", workspace],
        ...(options.branch === undefined ? [] : ["--branch", options.branch]),
        ...Object.entries(options.projectBranches ?? {}).flatMap(([project, branch]) => ["--project-branch", `${project}=${branch}`]),
        options.gitUrl,
        ...options.projects,
      ],
      env: { ...parameters, ...git },
    });
    const { code } = await child.exited;
    if (code !== 0) return { failure: child.log().trim().split("\n").at(-1) ?? "" };
    const commits: Record<string, string> = {};
    for (const project of options.projects) {
      const lines: string[] = [];
      const head = await startChild({
        command: "git",
        args: ["-C", join(workspace, project), "rev-parse", "HEAD"],
        env: git,
        onLine: (line) => void lines.push(line),
      });
      await head.exited;
      commits[project] = lines.join("");
    }
    return { commits };
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}
