import type { VerdictClass } from "./rules/verdict-rule.ts";

/** What each class of verdicts means, and what Zuul makes of it: for the documentation and the pages. */
export const CLASSES: Record<VerdictClass, { meaning: string; zuul: string }> = {
  success: { meaning: "the test passed", zuul: "reports SUCCESS" },
  failure: { meaning: "the change, or its test, is at fault", zuul: "reports the text; the change has failed" },
  cancelled: { meaning: "Zuul did not want it any more", zuul: "has forgotten the build already" },
  infrastructure: {
    meaning: "neither the change nor the task is at fault",
    zuul: "runs the build again, up to the job's `attempts`, then RETRY_LIMIT",
  },
  configuration: { meaning: "the TestTask, or its surroundings, must be changed", zuul: "reports the text; the change has failed" },
};
