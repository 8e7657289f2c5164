import { fileURLToPath } from "node:url";
import { startChild } from "../child-process.ts";
import { ensurePythonVenv } from "./python-venv.ts";

interface QueuedChange {
  project: string;
  branch: string;
  number: number;
}

/** What a build is for, as Zuul's model has it. `ref` of a change is its build set's, `Z...`. */
export type BuildShape = { pipeline: string; url: string; project: string } & (
  | { kind: "change"; branch: string; number: number; ref: string; commit: string; ahead?: QueuedChange[] }
  | { kind: "ref"; ref: string; oldrev: string; newrev: string }
  | { kind: "timer" }
);

/** The parameters that Zuul 2.6's own launcher sends for these builds. */
export async function makeZuulParameters(shapes: readonly BuildShape[]): Promise<Record<string, string>[]> {
  const { python } = await ensurePythonVenv();
  const lines: string[] = [];
  const child = await startChild({
    command: python,
    args: [fileURLToPath(new URL("parameters.py", import.meta.url)), JSON.stringify(shapes)],
    onLine: (line) => void lines.push(line),
  });
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`Zuul's launcher ended with ${code}: ${child.log()}`);
  return JSON.parse(lines.join("\n"));
}
