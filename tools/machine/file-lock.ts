import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { TurboHipsterError } from "../../src/runtime/errors.ts";

/**
 * Locks $1 and says so, then ends with its standard input, which the kernel closes when the process that wants the lock is gone. A file that
 * was removed while this waited for it (removing it is allowed to who holds the lock) is no longer the lock: the new one is taken.
 */
const HOLDER = `
while :; do
  exec 9>>"$1" || exit 1
  flock $2 9 || exit 75
  [ "$(stat -c %i "$1" 2>/dev/null)" = "$(stat -L -c %i /proc/self/fd/9)" ] && break
done
echo locked
exec cat >/dev/null`;

/**
 * Runs `work` while holding an exclusive lock on `file`, which is created when missing; `work` may remove it when it is no longer needed.
 * The lock is the kernel's (flock), held by a small process that ends with this one whatever ends this one, so nothing is ever left
 * locked. `onWait` is called once when somebody else holds the lock.
 */
export async function withFileLock<T>(file: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  let unlock = await takeLock(file, "--nonblock");
  if (unlock === null) {
    onWait();
    unlock = await takeLock(file, "--exclusive");
  }
  if (unlock === null) throw new TurboHipsterError("TH_LOCK", `cannot lock ${file}`);
  try {
    return await work();
  } finally {
    await unlock();
  }
}

/** Takes the lock and gives what releases it; null when `--nonblock` found it taken. */
function takeLock(file: string, flag: "--nonblock" | "--exclusive"): Promise<(() => Promise<void>) | null> {
  return new Promise((resolve, reject) => {
    const holder = spawn("sh", ["-c", HOLDER, "sh", file, flag], {
      stdio: ["pipe", "pipe", "inherit"],
      // A session of its own: Ctrl-C in the terminal must not release the lock before the work has ended.
      detached: true,
    });
    const ended = new Promise<void>((done) => holder.on("close", () => done()));
    holder.on("error", (error) => reject(new TurboHipsterError("TH_LOCK", `cannot lock ${file}: ${error.message}`)));
    holder.on("close", (code) => {
      if (code === 75 && flag === "--nonblock") resolve(null);
      else
        reject(new TurboHipsterError("TH_LOCK", `cannot lock ${file}: its holder ended with ${code} (is flock of util-linux installed?)`));
    });
    holder.stdout.once("data", () => {
      resolve(async () => {
        holder.stdin.end();
        await ended;
      });
    });
  });
}
