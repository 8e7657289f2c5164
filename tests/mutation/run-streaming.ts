import { spawn } from "node:child_process";

/** Runs a command whose output is progress, to standard error; rejects when it fails. */
export async function runStreaming(command: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): Promise<void> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", 2, 2] });
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${signal ?? code}`))));
  });
}
