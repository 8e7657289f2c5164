import assert from "node:assert/strict";

/** What every store takes: a path that stays where it belongs in a directory and in a bucket alike. */
export function checkStorePath(path: string): void {
  assert.ok(Buffer.byteLength(path) <= 900 && path.isWellFormed() && !/[\p{Cc}\\]/u.test(path), JSON.stringify(path));
  for (const name of path.split("/")) assert.ok(name !== "" && name !== "." && name !== ".." && Buffer.byteLength(name) <= 255, path);
}
