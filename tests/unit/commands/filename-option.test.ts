import assert from "node:assert/strict";
import { test } from "node:test";
import { renderCommand } from "../../../src/commands/render.ts";
import { validateCommand } from "../../../src/commands/validate.ts";

for (const command of [validateCommand(), renderCommand()]) {
  test(`${command.name()} tells whoever writes -f FILE, as for kubectl, how files are named`, () => {
    const option = command.options.find(({ short }) => short === "-f");
    assert.throws(() => option?.parseArg?.("a.yaml", undefined), {
      message: `Files are named without it: turbo-hipster ${command.name()} a.yaml`,
    });
    assert.doesNotMatch(command.helpInformation(), /filename/);
  });
}
