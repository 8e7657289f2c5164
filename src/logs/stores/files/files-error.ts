import { StoreError } from "../log-store.ts";

/** May pass by itself: a server of the network file system that restarts, a handle too many. */
const PASSING = new Set(["EAGAIN", "EBUSY", "EIO", "EMFILE", "ENFILE", "EINTR", "ESTALE", "ETIMEDOUT", "EHOSTDOWN", "ECONNRESET"]);
const FULL = new Set(["ENOSPC", "EDQUOT"]);

/** A system error of the store in `directory` as a StoreError; what is none of the system's is thrown as it is. */
export function filesError(thrown: unknown, directory: string, what: string): unknown {
  const code = (thrown as NodeJS.ErrnoException | null)?.code;
  if (!(thrown instanceof Error) || typeof code !== "string" || thrown instanceof StoreError || !("syscall" in thrown)) return thrown;
  const said = `the log store ${directory} (logs.directory) could not ${what}: ${code}`;
  if (FULL.has(code)) {
    return new StoreError("TH_STORE_FULL", `${said}, it is full. Make it larger, or lower logs.retention.`, {
      cause: thrown,
      retryable: true,
    });
  }
  if (PASSING.has(code)) return new StoreError("TH_STORE_AWAY", said, { cause: thrown, retryable: true });
  return new StoreError("TH_STORE_REFUSED", `${said}. ${remedy(code)}`, { cause: thrown });
}

function remedy(code: string): string {
  switch (code) {
    case "EACCES":
    case "EPERM":
      return "Let the user that this program runs as write there (in a pod: fsGroup).";
    case "EROFS":
      return "It is mounted read-only.";
    case "ENOENT":
      return "The directory is not there: mount the volume, or make it.";
    default:
      return "See whether the directory is as it should be.";
  }
}
