import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  failed,
  findingsExitCode,
  ok,
  renderFindings,
  renderFindingsJson,
  unseen,
  warning,
} from "../../../../src/commands/doctor/finding.ts";

const plain = (_tone: string, line: string) => line;

describe("findings", () => {
  test("are a line each, with the remedy below, and a sum", () => {
    const findings = [ok("a", "well"), warning("bb", "slow", "hurry"), failed("c", "gone", "look"), unseen("d", "nobody asked")];
    assert.deepEqual(renderFindings(findings, plain), [
      "ok        a   well",
      "warning   bb  slow",
      "              -> hurry",
      "FAILED    c   gone",
      "              -> look",
      "not seen  d   nobody asked",
      "",
      "1 ok, 1 warning, 1 failed, 1 not seen",
    ]);
    assert.deepEqual(JSON.parse(renderFindingsJson(findings)), {
      findings: [
        { what: "a", state: "ok", says: "well" },
        { what: "bb", state: "warning", says: "slow", remedy: "hurry" },
        { what: "c", state: "failed", says: "gone", remedy: "look" },
        { what: "d", state: "unseen", says: "nobody asked" },
      ],
      counts: { ok: 1, warning: 1, failed: 1, unseen: 1 },
      exitCode: 1,
    });
  });

  test("are a failure only where one has failed", () => {
    assert.equal(findingsExitCode([]), 0);
    assert.equal(findingsExitCode([ok("a", "b"), warning("a", "b", "c"), unseen("a", "b")]), 0);
    assert.equal(findingsExitCode([ok("a", "b"), failed("a", "b", "c")]), 1);
  });

  test("keep what a server says from the terminal, and short", () => {
    const [line = ""] = renderFindings([ok("\u001b[31m", `x\u0007${"y".repeat(5000)}`)], plain);
    assert.match(line, /^ok {8}\?\[31m {2}x\?y+\.\.\.$/);
    assert.ok(line.length < 1100);
  });
});
