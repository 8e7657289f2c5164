// Runs a TypeScript entry of this repository on the pinned Node, whatever Node the system has.
// On a fresh clone it installs the npm packages first. Plain JavaScript: it must run on any Node since 18.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = join(root, "node_modules", "node", "bin", "node");
const [entry, ...args] = process.argv.slice(2);

/** True when node_modules holds exactly what package-lock.json asks for. */
function isInstalled() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    const present = JSON.parse(readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(([path, entry]) => path === "" || entry.optional || present[path]?.version === entry.version);
  } catch {
    return false;
  }
}

if (!entry) {
  console.error("usage: node tools/bootstrap.mjs ENTRY.ts [ARGUMENT ...]");
  process.exit(2);
}
if (!isInstalled() || !existsSync(node)) {
  console.error("installing npm packages (npm ci) ...");
  const npm = spawnSync("npm", ["ci", "--no-progress", "--loglevel=error"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (npm.error || npm.status !== 0) {
    console.error(`npm ci failed${npm.error ? `: ${npm.error.message}` : ""}. Run it by hand in ${root} to see why.`);
    process.exit(1);
  }
}
if (!existsSync(node)) {
  console.error(`no Node for this platform at ${node}. Install Node 24.12 or later and run: node ${entry}`);
  process.exit(1);
}

const child = spawn(node, [join(root, entry), ...args], {
  stdio: "inherit",
  env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
});
// The terminal signals the whole process group; only what is sent to this process alone must be passed on.
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
process.on("SIGINT", () => {});
child.on("error", (error) => {
  console.error(`cannot start ${node}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal) process.kill(process.pid, signal === "SIGINT" ? "SIGTERM" : signal);
  process.exit(code ?? 1);
});
