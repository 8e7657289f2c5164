import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A directory of that name for temporary files of the user `uid` (of this process), the same each time: another user's operator on the same
 * machine has made its own with rights of its own.
 */
export function userDirectory(name: string, uid: number | undefined = process.getuid?.()): string {
  return join(tmpdir(), uid === undefined ? name : `${name}-${uid}`);
}
