// `npm run format`: formats and mends what the linter can, everywhere or in the files that are named.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const named = process.argv.slice(2);

const run = spawnSync(join(ROOT, "node_modules/.bin/biome"), ["check", "--write", ...(named.length > 0 ? named : [ROOT])], {
  stdio: "inherit",
});
if (run.error) console.error(`cannot start biome: ${run.error.message}`);
process.exitCode = run.status ?? 1;
