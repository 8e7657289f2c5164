import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./machine/run-command.ts";

const ROOT = join(import.meta.dirname, "..");

/** Compiles src/ to plain JavaScript in `directory`, which is emptied first. Throws CommandError with the compiler's messages. */
export async function buildSources(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  await runCommand(process.execPath, [compiler, "--project", join(ROOT, "tsconfig.build.json"), "--outDir", directory]);
  // What browsers get is served as it is.
  cpSync(join(ROOT, "src/web/assets"), join(directory, "web/assets"), { recursive: true });
}

if (import.meta.main) {
  await buildSources(join(ROOT, "dist")).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
