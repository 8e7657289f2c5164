import { fileURLToPath } from "node:url";
import { startChild } from "../child-process.ts";
import { ensurePythonVenv } from "./python-venv.ts";

/** A change of Zuul's queue, as its scheduler asks the merger for it. */
interface MergeItem {
  project: string;
  /** Gerrit's. */
  url: string;
  branch: string;
  /** Where Gerrit keeps the patchset, `refs/changes/...`. */
  refspec: string;
  /** The build set's: `refs/zuul/<branch>/<ref>` is made. */
  ref: string;
  number: number;
  patchset: number;
}

export type MergerOperation = { op: "update"; project: string; url: string } | { op: "merge"; items: MergeItem[] };

/**
 * Lets Zuul 2.6's own merger do this in its clones below `root`, which is made: serve it, and it is what ZUUL_URL names. `update` is what it does
 * for a timer's or a ref's item, and tells nobody when it fails; `merge` returns the commit, or null.
 */
export async function runZuulMerger(root: string, operations: readonly MergerOperation[]): Promise<(string | null)[]> {
  const { python } = await ensurePythonVenv();
  const lines: string[] = [];
  const child = await startChild({
    command: python,
    args: [fileURLToPath(new URL("merger.py", import.meta.url)), root, JSON.stringify(operations)],
    env: { GIT_COMMITTER_NAME: "Zuul", GIT_COMMITTER_EMAIL: "zuul@example.org", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
    onLine: (line) => void lines.push(line),
  });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`Zuul's merger ended with ${code}: ${child.log()}`);
  return JSON.parse(lines.join("\n"));
}
