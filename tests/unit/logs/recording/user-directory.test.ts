import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { test } from "node:test";
import { userDirectory } from "../../../../src/logs/recording/user-directory.ts";

test("a directory for temporary files is the same each time, and no other user's", () => {
  assert.equal(dirname(userDirectory("spool", 1000)), tmpdir());
  assert.equal(userDirectory("spool"), userDirectory("spool", process.getuid?.()));
  assert.notEqual(userDirectory("spool", 0), userDirectory("spool", 1000));
});
