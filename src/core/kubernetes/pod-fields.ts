/**
 * Every field of Kubernetes' PodSpec, Container, PodStatus and ContainerStatus (k8s.io/api v0.36, core/v1/types.go), and what becomes of
 * it here: docs/pod-fields.md is made from it, and it tells where a word belongs that is written in the wrong place. A test holds it
 * against the API's types as they are installed, so that a field of a newer Kubernetes is thought about before it is met.
 */

/**
 * - kept: written in a template it is in the pod as it was written, and nothing here depends on it.
 * - used: it is in the pod, and something here goes by it, or is laid over it.
 * - set: turbo-hipster sets it, whatever the template says.
 * - refused: by the TestTask's schema, with a sentence.
 * - cluster: for the API server to refuse or to fill in; a dry run says so in `TemplateValid`.
 */
export type SpecFieldUse = "kept" | "used" | "set" | "refused" | "cluster";
/** Whether a build's verdict, or what is done for it, is made from the field. */
export type StatusFieldUse = "read" | "ignored";

type FieldTable<Use> = Readonly<Record<string, readonly [use: Use, note: string]>>;

export const POD_SPEC_FIELDS: FieldTable<SpecFieldUse> = {
  activeDeadlineSeconds: ["refused", "the backstop for when no operator runs; limit the test by `timeouts.run`"],
  affinity: ["kept", ""],
  automountServiceAccountToken: ["used", "`false` unless the template says otherwise: what a test does not need it does not get"],
  containers: ["used", "a list of objects; the one named `test`, or else the first, is the test, the others are ended with it"],
  dnsConfig: ["kept", ""],
  dnsPolicy: ["kept", ""],
  enableServiceLinks: [
    "used",
    "`false` unless the template says otherwise: a big namespace's variables can keep a container from starting",
  ],
  ephemeralContainers: [
    "refused",
    "`kubectl debug` adds them to a pod that runs; they are never judged, and a test's end does not wait for them",
  ],
  hostAliases: ["kept", ""],
  hostIPC: ["kept", "Pod Security decides who may"],
  hostNetwork: ["kept", "Pod Security decides who may; two builds on a node then share its ports"],
  hostPID: [
    "used",
    "Pod Security decides who may; TERM then reaches the script's first process alone, as anything else could hit the node's",
  ],
  hostUsers: ["kept", ""],
  hostname: ["kept", ""],
  hostnameOverride: ["kept", ""],
  imagePullSecrets: ["kept", "they count for all images of the pod, the checkout's among them"],
  initContainers: ["used", "a list of objects; they run after checkout and services. `restartPolicy: Always` makes one a service"],
  nodeName: ["kept", "goes past the scheduler: a node that has no room refuses the pod, and Zuul runs the build again"],
  nodeSelector: ["used", "a node label's is added to it"],
  os: ["refused", "unless it is `linux`"],
  overhead: ["cluster", "comes with the RuntimeClass"],
  preemptionPolicy: ["cluster", "comes with the PriorityClass"],
  priority: ["cluster", "comes with the PriorityClass"],
  priorityClassName: ["used", "`spec.priorityClassName` replaces it"],
  readinessGates: ["kept", "nothing here waits for a pod to be ready"],
  resourceClaims: ["kept", "a build waits for its devices as for a node, at most `timeouts.schedule`"],
  resources: ["used", "the pod's memory limit counts as its containers' where they have none: `FAILURE - out of memory (limit 2Gi)`"],
  restartPolicy: ["refused", "unless it is `Never`: the pod of a build runs once, and Zuul has `attempts`"],
  runtimeClassName: ["kept", ""],
  schedulerName: ["kept", ""],
  schedulingGates: ["kept", "a build waits behind them as for a node, at most `timeouts.schedule`"],
  schedulingGroup: ["kept", "a build waits as for a node"],
  securityContext: ["used", "laid over the restricted default; `spec.securityContext` over it"],
  serviceAccount: ["kept", "Kubernetes' old name of serviceAccountName, which counts where both are there"],
  serviceAccountName: ["used", "`spec.serviceAccountName` replaces it"],
  setHostnameAsFQDN: ["kept", "a name of more than 64 characters keeps the pod from starting, until `timeouts.pull`"],
  shareProcessNamespace: [
    "used",
    "containers then see each other's processes, files and secrets; TERM reaches the script's first process alone, at once and without a trap",
  ],
  subdomain: ["kept", ""],
  terminationGracePeriodSeconds: ["used", "0 to 600: so long a test that is stopped may still run, and its node be taken"],
  tolerations: ["used", "a list of objects; a node label's are added"],
  topologySpreadConstraints: ["kept", ""],
  volumes: ["used", "a list of objects; names that begin with `th-` are ours"],
};

export const CONTAINER_FIELDS: FieldTable<SpecFieldUse> = {
  args: ["used", "of the test: emptied where there is a `script`"],
  command: ["used", "of the test: replaced by a `script`"],
  env: ["used", "a list of objects; of the test: the request's parameters lie beneath it, the task's `env` and `TH_*` over it"],
  envFrom: ["used", "a list of objects; of the test: the task's are added"],
  image: ["used", "of the test: a node label's or `spec.image` replaces it"],
  imagePullPolicy: ["kept", ""],
  lifecycle: [
    "kept",
    "a `preStop` runs before TERM is sent; another `stopSignal` than TERM does not reach a script, and a stop takes the whole grace",
  ],
  livenessProbe: ["kept", "one that fails ends the test as the kubelet ends it: not 0 is FAILURE, 0 is no result"],
  name: ["used", "`checkout`, `collector` and what begins with `th-` are ours; a name is there once in the whole pod"],
  ports: ["kept", ""],
  readinessProbe: ["kept", "nothing here waits for a pod to be ready"],
  resizePolicy: ["cluster", "`RestartContainer` is refused in a pod that never restarts, so a resize in place restarts no test"],
  resources: ["used", "of the test: a node label's or `spec.resources` replace them; a memory limit is told when it was too small"],
  restartPolicy: ["refused", "of a container unless it is `Never`, of an init container unless it is `Always` (a service) or `Never`"],
  restartPolicyRules: ["refused", "they would run the test, or what it stands on, a second time"],
  securityContext: ["used", "laid over the restricted default"],
  startupProbe: ["kept", "of a service: what comes next waits for it"],
  stdin: ["kept", "nobody writes to it: a test that reads from it waits until `timeouts.run`"],
  stdinOnce: ["kept", ""],
  terminationMessagePath: ["set", "for the test and the checkout"],
  terminationMessagePolicy: ["set", "for the test: its result file is the message, never its log"],
  tty: ["kept", "lines of the log then end as on a terminal"],
  volumeDevices: ["kept", ""],
  volumeMounts: ["used", "a list of objects; ours are added where the container mounts nothing at their path"],
  workingDir: ["used", "of the test: what was checked out, or the workspace for a script, unless the template says otherwise"],
};

export const POD_STATUS_FIELDS: FieldTable<StatusFieldUse> = {
  allocatedResources: ["ignored", "a resize in place ends nothing"],
  conditions: [
    "read",
    "`DisruptionTarget`: somebody needs its place; `PodScheduled`: what it waits for; `PodReadyToStartContainers`: its sandbox; `ContainersReady`: when its kubelet saw an end; `AllContainersRestarting`",
  ],
  containerStatuses: ["read", "the test's end; whether others still run"],
  ephemeralContainerStatuses: ["ignored", "what somebody looks at a pod with decides nothing"],
  extendedResourceClaimStatus: ["ignored", ""],
  hostIP: ["ignored", ""],
  hostIPs: ["ignored", ""],
  initContainerStatuses: ["read", "checkout, init containers and services"],
  message: ["read", "with `reason`, for people"],
  nodeAllocatableResourceClaimStatuses: ["ignored", ""],
  nominatedNodeName: ["ignored", "a pod that may preempt others still waits"],
  observedGeneration: ["ignored", ""],
  phase: ["read", "whether the pod is over"],
  podIP: ["ignored", ""],
  podIPs: ["ignored", ""],
  qosClass: ["ignored", ""],
  reason: ["read", "`Evicted`, `DeadlineExceeded`, `Preempting`, what a node refuses a pod for"],
  resize: ["ignored", "a resize in place ends nothing"],
  resourceClaimStatuses: ["ignored", ""],
  resources: ["ignored", "a resize in place ends nothing"],
  startTime: ["read", "from when on a kubelet has the pod"],
};

export const CONTAINER_STATUS_FIELDS: FieldTable<StatusFieldUse> = {
  allocatedResources: ["ignored", "a resize in place ends nothing"],
  allocatedResourcesStatus: ["ignored", "an unhealthy device is for the test to notice"],
  containerID: ["read", "whether something of a pod without a sandbox was made"],
  image: ["ignored", ""],
  imageID: ["ignored", ""],
  lastState: ["read", "how a service ended before it was started anew, and whether the test ran before"],
  name: ["read", ""],
  ready: ["ignored", ""],
  resources: ["ignored", "the limit that is told is the one in the spec"],
  restartCount: ["read", "whether `lastState` is how the test ended at first"],
  started: ["read", "whether a service is ready"],
  state: ["read", "waiting: why; running: since when; terminated: exit code, signal, reason, message, times"],
  stopSignal: ["ignored", ""],
  user: ["ignored", ""],
  volumeMounts: ["ignored", ""],
};

/** Fields of a JobSpec (batch/v1), which is never a template's: what to use instead. */
export const JOB_SPEC_FIELDS: Readonly<Record<string, string>> = {
  activeDeadlineSeconds: "limit the test's time with spec.timeouts.run",
  backoffLimit: "a build runs once, and Zuul has attempts",
  backoffLimitPerIndex: "",
  completionMode: "",
  completions: "",
  managedBy: "",
  manualSelector: "",
  maxFailedIndexes: "",
  parallelism: "limit builds at once with spec.maxConcurrent",
  podFailurePolicy: "a build runs once, and Zuul has attempts",
  podReplacementPolicy: "",
  selector: "",
  successPolicy: "",
  suspend: "",
  template: "",
  ttlSecondsAfterFinished: "Jobs are kept as long as the configuration says",
};
