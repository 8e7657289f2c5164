import type { Job, KubeEvent, Pod } from "../../../src/core/kubernetes/objects.ts";
import { disrupted, makeEvent, makeJob, makePod, running, service, terminated, UNSCHEDULED, waiting } from "./build-objects.ts";

/** What the API server shows of a build at one moment. */
export interface Shown {
  name: string;
  /** undefined: there is none. */
  job: Job | undefined;
  pods: Pod[];
  /** The kubelet's Killing event. */
  kill?: string;
  events?: KubeEvent[];
}

type PodChanges = Parameters<typeof makePod>[0];

const DELETED = { deletionTimestamp: "2026-01-01T00:00:20Z" };
const ENDING = { containers: [{ name: "test" }], nodeName: "node-1", activeDeadlineSeconds: 1 };
const DEADLINE = { phase: "Failed", reason: "DeadlineExceeded" };
const WITH_SERVICE = { containers: [{ name: "test" }], initContainers: [{ name: "db", restartPolicy: "Always" }], nodeName: "node-1" };

const JOBS: [string, Job][] = [
  ["", makeJob()],
  [" of a suspended Job", makeJob({ spec: { suspend: true } })],
  [" of a deleted Job", makeJob({ metadata: DELETED })],
  [" of a failed Job", makeJob({ status: { conditions: [{ type: "Failed", status: "True", reason: "PodFailurePolicy" }] } })],
  [" of a complete Job", makeJob({ status: { conditions: [{ type: "Complete", status: "True" }] } })],
];

const EXIT_CODES = [0, 1, 128, 137, 143];

const PODS: [string, PodChanges][] = [
  ["unscheduled", UNSCHEDULED],
  ["preparing", { status: { phase: "Pending", containerStatuses: [waiting("test", "ContainerCreating")] } }],
  ["without its image", { status: { phase: "Pending", containerStatuses: [waiting("test", "ImagePullBackOff", "manifest unknown")] } }],
  ["with a bad image", { status: { phase: "Pending", containerStatuses: [waiting("test", "InvalidImageName", "bad")] } }],
  [
    "without its Secret",
    { status: { phase: "Pending", containerStatuses: [waiting("test", "CreateContainerConfigError", 'secret "a" not found')] } },
  ],
  [
    "with a failed checkout",
    {
      spec: { initContainers: [{ name: "checkout" }] },
      status: { phase: "Failed", initContainerStatuses: [terminated("checkout", 69)], containerStatuses: [] },
    },
  ],
  [
    "with a service that waits",
    {
      spec: WITH_SERVICE,
      status: {
        phase: "Pending",
        initContainerStatuses: [service("db", { started: false })],
        containerStatuses: [waiting("test", "PodInitializing")],
      },
    },
  ],
  ["running", {}],
  ["running, to be ended", { spec: ENDING }],
  ["running, deleted", { metadata: DELETED }],
  ["running, drained", { metadata: DELETED, status: { conditions: [disrupted("EvictionByEvictionAPI")] } }],
  ["running on a lost node", { status: { phase: "Unknown" } }],
  ["refused by its node", { status: { phase: "Failed", reason: "OutOfcpu", containerStatuses: [] } }],
  ["over without a trace", { status: { phase: "Succeeded", containerStatuses: [] } }],
  ["lost from sight", { status: { phase: "Failed", containerStatuses: [terminated("test", 137, { reason: "ContainerStatusUnknown" })] } }],
  ...EXIT_CODES.flatMap((code): [string, PodChanges][] => {
    const containerStatuses = [terminated("test", code)];
    const phase = code === 0 ? "Succeeded" : "Failed";
    return [
      [`exited ${code}`, { status: { containerStatuses } }],
      [`ended ${code}`, { status: { phase, containerStatuses } }],
      [`exited ${code} beside another container`, { status: { containerStatuses: [...containerStatuses, running("web")] } }],
      [`exited ${code}, to be ended`, { spec: ENDING, status: { containerStatuses } }],
      [`ended ${code} by its deadline`, { spec: ENDING, status: { ...DEADLINE, containerStatuses } }],
      [`exited ${code}, deleted`, { metadata: DELETED, status: { containerStatuses } }],
      [
        `ended ${code}, preempted`,
        { metadata: DELETED, status: { phase, containerStatuses, conditions: [disrupted("PreemptionByScheduler")] } },
      ],
      [
        `ended ${code}, evicted`,
        { status: { phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory. ", containerStatuses } },
      ],
      [
        `ended ${code}, out of disk`,
        {
          status: {
            phase: "Failed",
            reason: "Evicted",
            message: "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ",
            containerStatuses,
          },
        },
      ],
    ];
  }),
  ["out of memory", { status: { phase: "Failed", containerStatuses: [terminated("test", 137, { reason: "OOMKilled" })] } }],
];

const WITHOUT_POD: Shown[] = JOBS.flatMap(([of, job]) => [
  { name: `no pod${of}`, job, pods: [] },
  {
    name: `no pod, a full quota${of}`,
    job,
    pods: [],
    events: [makeEvent("FailedCreate", "forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1")],
  },
  { name: `no pod, refused${of}`, job, pods: [], events: [makeEvent("FailedCreate", 'pods "a" is forbidden: violates PodSecurity')] },
]);

/** Sights of a build that a follower may have, likely and unlikely ones. */
export const MOMENTS: readonly Shown[] = [
  { name: "nothing", job: undefined, pods: [] },
  ...WITHOUT_POD,
  ...PODS.flatMap(([name, changes]) => {
    const pods = [makePod(changes)];
    const later = makePod({ ...changes, metadata: { ...changes?.metadata, name: "second", creationTimestamp: "2026-01-01T01:00:00Z" } });
    return [
      ...JOBS.map(([of, job]) => ({ name: `${name}${of}`, job, pods })),
      { name: `${name}, killed`, job: makeJob(), pods, kill: "Stopping container test" },
      { name: `second pod ${name}`, job: makeJob(), pods: [makePod({ status: { phase: "Failed" } }), later] },
    ];
  }),
];
