import { artifactsPath, collectorAudience } from "../artifacts/collector-audience.ts";
import { COLLECTOR_CONTAINER } from "../kubernetes/container-roles.ts";
import { parseDurationMs } from "../kubernetes/duration.ts";
import type { Container, PodSpec } from "../kubernetes/objects.ts";
import type { TestTaskSpec } from "../test-task/test-task.ts";
import { escapeExpansion } from "../zuul/parameters.ts";
import { withContainerSecurity } from "./pod-security.ts";
import { ARTIFACTS_DIRECTORY, GRACE_OVER_FILE, MOUNTS, TERMINATION_FILE, withMounts, workspaceMount } from "./pod-volumes.ts";

/** What the collector's container needs of the configuration. */
export interface CollectorSettings {
  /** The image that holds this program, for the in-pod commands. */
  image: string;
  installation: string;
  /** Of the internal port, as build pods reach it; without a slash at its end. */
  internalUrl: string;
}

const TOKEN_DIRECTORY = "/run/turbo-hipster/collector";
const TOKEN_MOUNT = { name: "th-collector-token", mountPath: TOKEN_DIRECTORY, readOnly: true };
/** The least that an API server gives; the kubelet renews it. */
const TOKEN_SECONDS = 600;
/** For a pod that says nothing; the API server's own default. */
const GRACE_SECONDS = 30;

/**
 * While the test runs there is a shell and nothing else. The kubelet sends TERM when all other containers have ended, and runs the hook before
 * that, when it has begun to end the pod: a test that takes no notice of TERM would have all of the pod's grace for itself, so when its own is
 * over the collector does not wait for its end, and tells a script's runner, which kills the script. A signal that comes between a look and a
 * wait ends what is waited for.
 * https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/753-sidecar-containers (pre-stop hooks, and in which order TERM comes)
 */
const WAIT_SCRIPT = `state=
trap 'state=ended; kill -9 $! 2>/dev/null' TERM
trap 'state=\${state:-ending}; kill -9 $! 2>/dev/null' USR1
[ -z "$2" ] || [ -p "$2" ] || mkfifo -m 644 "$2"
if [ -p "$2" ]; then exec 9<>"$2"; fi
while [ -z "$state" ]; do sleep 3600 & [ -n "$state" ] || wait $!; done
left=$1
while [ "$state" != ended ] && [ "$left" -gt 0 ]; do sleep 1 & [ "$state" = ended ] || wait $!; left=$((left - 1)); done
kill -9 $! 2>/dev/null
if [ "$state" != ended ] && [ -p "$2" ]; then echo over >&9; fi
shift 2
trap '' TERM USR1
exec turbo-hipster collect "$@"
`;
const HOOK = ["sh", "-c", "kill -USR1 1"];

/** The test's own grace, and then what storing the artifacts may take. */
export function graceSeconds(spec: TestTaskSpec, pod: PodSpec): number {
  return testGraceSeconds(pod) + Math.ceil(parseDurationMs(spec.timeouts.collect) / 1000);
}

/** The native sidecar that sends what the test has left. https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/ */
export function renderCollector(
  settings: CollectorSettings,
  spec: TestTaskSpec,
  { pod, test, number }: { pod: PodSpec; test: Container; number: string },
): Container {
  const flags = [
    ...["--url", `${settings.internalUrl}${artifactsPath(number)}`, "--token-file", `${TOKEN_DIRECTORY}/token`],
    ...["--directory", ARTIFACTS_DIRECTORY, "--working-directory", workingDirectory(spec, test), "--timeout", spec.timeouts.collect],
    ...(spec.artifacts?.paths ?? []).flatMap((path) => ["--path", path]),
  ];
  const waiting = [String(testGraceSeconds(pod)), spec.script === undefined ? "" : GRACE_OVER_FILE];
  const container: Container = {
    name: COLLECTOR_CONTAINER,
    image: settings.image,
    command: ["sh", "-c", escapeExpansion(WAIT_SCRIPT), "collector", ...waiting, ...flags.map(escapeExpansion)],
    env: [{ name: "TH_TERMINATION_FILE", value: TERMINATION_FILE }],
    restartPolicy: "Always",
    lifecycle: { preStop: { exec: { command: HOOK } } },
    terminationMessagePath: TERMINATION_FILE,
    // While the test runs it takes none of it; no limit of CPU, which would make the sending as slow as that.
    resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "256Mi" } },
  };
  return withMounts(withContainerSecurity(container, spec.securityContext), [
    { ...workspaceMount(spec), readOnly: true },
    { ...MOUNTS.artifacts, readOnly: true },
    ...(spec.script === undefined ? [] : [MOUNTS.grace]),
    TOKEN_MOUNT,
  ]);
}

/** Of the pod: good for nothing but this upload, and only while the pod is there. */
export function renderCollectorVolume({ installation }: CollectorSettings): NonNullable<PodSpec["volumes"]>[number] {
  const serviceAccountToken = { path: "token", audience: collectorAudience(installation), expirationSeconds: TOKEN_SECONDS };
  return { name: TOKEN_MOUNT.name, projected: { sources: [{ serviceAccountToken }] } };
}

/** Where the test runs, as far as the collector has it. */
function workingDirectory({ checkout }: TestTaskSpec, { workingDir = checkout.path }: Container): string {
  return workingDir === checkout.path || workingDir.startsWith(`${checkout.path}/`) ? workingDir : checkout.path;
}

function testGraceSeconds({ terminationGracePeriodSeconds = GRACE_SECONDS }: PodSpec): number {
  return terminationGracePeriodSeconds;
}
