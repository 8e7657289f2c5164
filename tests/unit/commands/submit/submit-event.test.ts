import assert from "node:assert/strict";
import { test } from "node:test";
import {
  renderEventJson,
  renderEventLine,
  type SubmitEnd,
  stepName,
  submitExitCode,
} from "../../../../src/commands/submit/submit-event.ts";

const END: SubmitEnd = { event: "ended", result: null, reason: "retry", message: "m", number: 1, url: null, node: null };

test("only SUCCESS ends with 0, any other result with 1, none with 2", () => {
  assert.equal(submitExitCode({ ...END, result: "SUCCESS", reason: null }), 0);
  for (const result of ["FAILURE", "success", "SUCCESS "]) assert.equal(submitExitCode({ ...END, result, reason: null }), 1);
  assert.equal(submitExitCode(END), 2);
});

test("a line shows nothing that a terminal obeys, and stays one line", () => {
  const line = renderEventLine(
    { event: "started", number: "\u001b]0;x\u0007", manager: "m", worker: "a\r\n\u2028\u202eb", url: "\u009b" },
    1_250,
  );
  assert.equal(line, "    1.3 s  accepted by a????b: number ?]0;x?, ?");
});

test("the end has the colour of its result, other lines have none", () => {
  const tone = (event: Parameters<typeof renderEventLine>[0]) => renderEventLine(event, 0, (colour) => colour);
  assert.equal(tone({ ...END, result: "SUCCESS", reason: null }), "good");
  assert.equal(tone({ ...END, result: "FAILURE", reason: null }), "bad");
  assert.equal(tone(END), "bad");
  assert.equal(tone({ event: "url", url: "u" }), "    0.0 s  page u");
});

test("the end's JSON has the exit code and is one line", () => {
  const json = renderEventJson({ ...END, message: "a\nb" }, 12.6);
  assert.equal(json.includes("\n"), false);
  assert.deepEqual(JSON.parse(json), { ...END, message: "a\nb", elapsedMs: 13, exitCode: 2 });
});

test("steps have names only when this program's own worker counts them", () => {
  assert.equal(stepName("turbo-hipster-ci", 0, 6), "accepted");
  assert.equal(stepName("turbo-hipster-ci", 4, 6), "running");
  assert.equal(stepName("turbo-hipster-ci", 6, 6), "done");
  assert.equal(stepName("turbo-hipster-ci", 4, 100), null);
  assert.equal(stepName("jenkins", 4, 6), null);
  assert.equal(stepName(null, 4, 6), null);
  assert.equal(stepName("turbo-hipster-ci", Number.NaN, 6), null);
});
