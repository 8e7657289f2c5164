import { TEST_TASK_API_VERSION, TEST_TASK_KIND } from "../../src/core/test-task/test-task.ts";
import { BUILD_PARAMETER } from "./audit/cluster-truth.ts";
import { type BuildPlan, DRILL_JOBS, DRILL_LIMITS } from "./build-plan.ts";

/** Where tests write down what they do, in the pod. */
const TRACES = "/drill";

/**
 * Does what the build's parameters say, and writes down on the node what it does, and prints the same: no API server is needed to know what
 * was done, and what is kept of its log can be compared with that.
 */
const SCRIPT = `trace=${TRACES}/$HOSTNAME
say() { echo "$1" >> "$trace"; echo "$1"; }
say "started $${BUILD_PARAMETER} $ZUUL_UUID"
case $DRILL_ON_TERM in
exit-143) trap 'say term; exit 143' TERM ;;
exit-0) trap 'say term; exit 0' TERM ;;
ignore) trap 'say term' TERM ;;
esac
# SIGTERM comes to all processes.
(trap "" TERM; exec sleep "$DRILL_SECONDS") &
while kill -0 $! 2>/dev/null; do wait $! || true; done
echo "$DRILL_TEXT" > "$TH_RESULT_FILE"
say "ended $DRILL_EXIT"
exit "$DRILL_EXIT"
`;

/** Many times what a test takes, and little beside what a clock is set by. */
const TIMEOUTS = { run: "5m" };

/** The TestTasks of all jobs; `traces` is a directory of the node that anybody may write to. */
export function makeDrillTasks(image: string, traces: string): object[] {
  const mounts = [{ name: "drill", mountPath: TRACES }];
  const template = {
    spec: {
      containers: [{ name: "test", volumeMounts: mounts }],
      volumes: [{ name: "drill", hostPath: { path: traces, type: "Directory" } }],
    },
  };
  return DRILL_JOBS.map((name) => ({
    apiVersion: TEST_TASK_API_VERSION,
    kind: TEST_TASK_KIND,
    metadata: { name },
    spec: { image, script: SCRIPT, template, timeouts: TIMEOUTS, ...(name in DRILL_LIMITS ? { maxConcurrent: DRILL_LIMITS[name] } : {}) },
  }));
}

/** What Zuul's parameter-function sets for a build; the same for all its launches. */
export function drillParameters(plan: BuildPlan): Record<string, string> {
  return {
    [BUILD_PARAMETER]: plan.id,
    DRILL_SECONDS: String(plan.runSeconds),
    DRILL_EXIT: String(plan.exitCode),
    DRILL_ON_TERM: plan.onTerm,
    DRILL_TEXT: plan.text,
  };
}
