import { phasesOf } from "../../core/report/build-phases.ts";
import type { StepTime } from "../../core/report/build-report.ts";
import { sayDuration, sayTime } from "../words.ts";
import { type Markup, markup } from "./markup.ts";

/** A bar of how long each step took, and the same as a list. */
export function renderSteps(times: readonly StepTime[], now: Date): Markup {
  const phases = phasesOf(times, now);
  const [first] = phases;
  if (!first) return markup``;
  const total = Math.max(
    1,
    phases.reduce((sum, { ms }) => sum + ms, 0),
  );
  const bars = phases.map(({ step, startMs, ms }) => {
    const [x, width] = [((startMs - first.startMs) / total) * 1000, (ms / total) * 1000];
    return markup`<rect class="step-${step}" x="${x.toFixed(1)}" width="${width.toFixed(1)}" height="12"/>`;
  });
  const items = phases.map(
    ({ step, doing, at, ms, isNow }) =>
      markup`<li class="step-${step}"><span class="swatch" aria-hidden="true"></span><span>${doing}</span> <b>${
        step === "ended" ? sayTime(at) : `${sayDuration(ms)}${isNow ? " so far" : ""}`
      }</b></li>`,
  );
  return markup`<section aria-labelledby="steps-heading"><h2 id="steps-heading">Steps</h2>
<svg class="bar" viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true" focusable="false">${bars}</svg>
<ol class="steps">${items}</ol>
<p class="quiet">Since ${sayTime(first.at)}, ${sayDuration(total)} in all.</p></section>`;
}
