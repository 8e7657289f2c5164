/**
 * The parts of Kubernetes' objects that the program reads, in the API's own JSON: timestamps are RFC 3339 text, everything may be absent.
 * https://kubernetes.io/docs/reference/kubernetes-api/
 */
interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string }[];
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  observedGeneration?: number;
}

export interface EnvVar {
  name: string;
  value?: string;
  valueFrom?: object;
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  readOnly?: boolean;
}

export interface Container {
  name: string;
  image?: string;
  command?: string[];
  args?: string[];
  workingDir?: string;
  env?: EnvVar[];
  envFrom?: object[];
  ports?: object[];
  startupProbe?: object;
  lifecycle?: object;
  volumeMounts?: VolumeMount[];
  resources?: { limits?: Record<string, string | number>; requests?: Record<string, string | number> };
  securityContext?: Record<string, unknown>;
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  restartPolicy?: string;
  restartPolicyRules?: object[];
}

export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  volumes?: { name: string; [source: string]: unknown }[];
  restartPolicy?: string;
  activeDeadlineSeconds?: number;
  terminationGracePeriodSeconds?: number;
  nodeSelector?: Record<string, string>;
  tolerations?: object[];
  securityContext?: Record<string, unknown>;
  enableServiceLinks?: boolean;
  hostPID?: boolean;
  shareProcessNamespace?: boolean;
  automountServiceAccountToken?: boolean;
  serviceAccountName?: string;
  priorityClassName?: string;
  nodeName?: string;
  /** Of the pod as a whole (Kubernetes 1.34). */
  resources?: { limits?: Record<string, string | number>; requests?: Record<string, string | number> };
}

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

interface JobSpec {
  template: PodTemplate;
  backoffLimit?: number;
  podFailurePolicy?: object;
  ttlSecondsAfterFinished?: number;
  suspend?: boolean;
}

export interface Job extends KubeObject {
  spec?: JobSpec;
  status?: { conditions?: Condition[]; startTime?: string; active?: number; failed?: number; succeeded?: number };
}

export interface TerminatedState {
  exitCode: number;
  signal?: number;
  reason?: string;
  message?: string;
  startedAt?: string | null;
  finishedAt?: string | null;
}

export interface ContainerStatus {
  name: string;
  /** As it was asked for, and what that was: a digest. */
  image?: string;
  imageID?: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    running?: { startedAt?: string };
    terminated?: TerminatedState;
  };
  /** How it ended before it was started again. */
  lastState?: { terminated?: TerminatedState };
  /** Its startupProbe, if it has one, has passed. */
  started?: boolean;
  restartCount?: number;
  /** Its runtime's name for the newest one that it has made, begun or not. */
  containerID?: string;
}

/** `v1.Event`: what a controller or a kubelet says of an object; forgotten after an hour, and nobody promises that it comes. */
export interface KubeEvent extends KubeObject {
  involvedObject?: { kind?: string; name?: string; namespace?: string; uid?: string; fieldPath?: string };
  type?: string;
  reason?: string;
  message?: string;
  lastTimestamp?: string | null;
  eventTime?: string | null;
}

export interface Pod extends KubeObject {
  spec?: PodSpec;
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    startTime?: string;
    conditions?: Condition[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}
