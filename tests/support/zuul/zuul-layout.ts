import { fileURLToPath } from "node:url";
import { startChild } from "../child-process.ts";
import { ensurePythonVenv } from "./python-venv.ts";

/** What Zuul made of a layout.yaml: its jobs with the pipelines of each project, and which have a parameter-function. */
export type ZuulLayout =
  | { jobs: Record<string, Record<string, string[]>>; parameterFunctions: Record<string, string>; refused?: undefined }
  | { refused: string };

/** What Zuul 2.6's own scheduler reads in these files, which have a trigger of gerrit's or timer's. */
export async function readZuulLayouts(paths: readonly string[]): Promise<ZuulLayout[]> {
  const { python } = await ensurePythonVenv();
  const lines: string[] = [];
  const child = await startChild({
    command: python,
    args: [fileURLToPath(new URL("layout.py", import.meta.url))],
    onLine: (line) => void lines.push(line),
  });
  child.writeLine(JSON.stringify(paths));
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`Zuul's scheduler ended with ${code}: ${child.log()}`);
  return JSON.parse(lines.join("\n"));
}
