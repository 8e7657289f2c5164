import { spawn, spawnSync } from "node:child_process";

/** Installs what is missing of these Debian packages; rejects with the command to run where it may not. */
export async function ensureDebianPackages(packages: readonly string[]): Promise<void> {
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  const remedy = `apt-get install ${missing.join(" ")}`;
  if (process.getuid?.() !== 0) throw new Error(`needs Debian packages; as root run: ${remedy}`);
  await aptGet(["update", "-qq"], remedy);
  await aptGet(["install", "-y", "-qq", "--no-install-recommends", ...missing], remedy);
}

function isInstalled(name: string): boolean {
  return spawnSync("dpkg-query", ["-W", "-f=$" + "{Status}", name], { encoding: "utf8" }).stdout === "install ok installed";
}

function aptGet(args: readonly string[], remedy: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const apt = spawn("apt-get", args, { stdio: ["ignore", 2, 2], env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
    apt.on("error", reject);
    apt.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`apt-get ended with ${code}; try by hand: ${remedy}`))));
  });
}
