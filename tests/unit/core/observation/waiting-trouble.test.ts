import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { KubeEvent } from "../../../../src/core/kubernetes/objects.ts";
import type { BuildState } from "../../../../src/core/observation/build-state.ts";
import { eventsWanted, observeTrouble } from "../../../../src/core/observation/waiting-trouble.ts";
import { makeEvent, makeJob, makePod, observe, terminated, UNSCHEDULED, waiting } from "../../../support/objects/build-objects.ts";

const pending = (reason: string, message = "") =>
  observe(makeJob(), [makePod({ status: { phase: "Pending", containerStatuses: [waiting("test", reason, message)] } })]);
const unscheduled = (message: string) =>
  observe(makeJob(), [
    makePod({ ...UNSCHEDULED, status: { ...UNSCHEDULED.status, conditions: [{ type: "PodScheduled", status: "False", message }] } }),
  ]);
const withSandbox = (status: "True" | "False", more: object) =>
  observe(makeJob(), [makePod({ status: { phase: "Pending", conditions: [{ type: "PodReadyToStartContainers", status }], ...more } })]);
const withoutSandbox = (more: object) => withSandbox("False", more);
const CREATED = waiting("test", "ContainerCreating");
const MADE = { ...CREATED, containerID: "containerd://a" };
const LOST: Found = {
  ...say("sandbox-lost", "its node lost the pod before the test began, and does not begin it again"),
  evidence: { node: "node-1" },
};
const WITHOUT_POD = observe(makeJob(), []);
const CREATING = pending("ContainerCreating");
const EXITED = observe(makeJob(), [makePod({ status: { containerStatuses: [terminated("test", 137)] } })]);
const LIMITED = observe(makeJob(), [
  makePod({
    spec: {
      containers: [
        { name: "test", resources: { limits: { memory: "2Mi" } } },
        { name: "web", resources: { limits: { memory: "1Mi" } } },
      ],
    },
    status: { phase: "Pending", containerStatuses: [waiting("test", "ContainerCreating")] },
  }),
]);
const BACK_OFF = 'Back-off pulling image "a:1"';
const SILENT = pending("ImagePullBackOff", BACK_OFF);
const refused = (why: string) => makeEvent("FailedCreate", `Error creating: ${why}`);
const SOURCE = 'failed to provision volume with StorageClass "fast": error getting handle for DataSource Type';
const OOM = "unable to start container process: container init was OOM-killed (memory limit too low?): unknown";
const NO_DISK = 'Usage of EmptyDir volume "d" exceeds the limit "20Mi". ';
const NO_TAG = 'Failed to apply default image tag "Bad": ';

const UNBOUND = unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found");

/** What an external-provisioner says of a dataset's claim. */
const PROVISIONING: [what: string, message: string, found: Found | undefined][] = [
  [
    "a snapshot that is not there",
    `${SOURCE} VolumeSnapshot by Name nova: error getting snapshot nova from api server: volumesnapshots.snapshot.storage.k8s.io "nova" not found`,
    say("volume-not-found", 'volumesnapshots.snapshot.storage.k8s.io "nova" not found'),
  ],
  [
    "a claim to clone that is not there",
    `${SOURCE} PersistentVolumeClaim by Name nova: error getting PVC nova (namespace "ci") from api server: persistentvolumeclaim "nova" not found`,
    say("volume-not-found", 'persistentvolumeclaim "nova" not found'),
  ],
  [
    "a class that is not there",
    'storageclass.storage.k8s.io "fast" not found',
    say("volume-not-found", 'storageclass.storage.k8s.io "fast" not found'),
  ],
  [
    "a snapshot that is larger",
    `${SOURCE} VolumeSnapshot by Name nova: requested volume size 10 is less than the size 20 for the source snapshot nova`,
    say("dataset-size", "dataset too big - 20 bytes, and its size says 10 - raise it in the TestTask"),
  ],
  [
    "a claim to clone that is larger",
    `${SOURCE} PersistentVolumeClaim by Name nova: error, new PVC request must be greater than or equal in size to the specified PVC data source, requested 10 but source is 20`,
    say("dataset-size", "dataset too big - 20 bytes, and its size says 10 - raise it in the TestTask"),
  ],
  [
    "a claim to clone that is not bound yet",
    `${SOURCE} PersistentVolumeClaim by Name nova: claim in dataSource not bound or invalid`,
    undefined,
  ],
  ["a provisioner that is out of room", "rpc error: code = ResourceExhausted desc = no space", undefined],
];

interface Found {
  rule: string;
  sentence: string;
  result?: string;
  evidence?: Record<string, string>;
}

const ROWS: [seen: string, state: BuildState, events: KubeEvent[], found: Found | undefined][] = [
  [
    "a name of an image that is none",
    pending("InvalidImageName", `${NO_TAG}no reference`),
    [],
    say("invalid-image-name", "invalid image name - no reference"),
  ],
  [
    "such words further on",
    pending("InvalidImageName", `a: ${NO_TAG}b`),
    [],
    say("invalid-image-name", `invalid image name - a: ${NO_TAG}b`),
  ],
  [
    "an image that nobody may pull",
    pending("ErrImageNeverPull", 'Container image "a:1" is not present with pull policy of Never'),
    [],
    say("image-not-found", "image not found - a tag 1 is not on the node, and imagePullPolicy is Never"),
  ],
  [
    "a container without a command",
    pending("CreateContainerError", "failed to generate container spec: no command specified"),
    [],
    say("container-config", "container test has no command, and its image has none"),
  ],
  [
    "a Secret that is not there",
    pending("CreateContainerConfigError", 'cannot stat secret "db" not found'),
    [],
    say("container-config", 'cannot stat secret "db" not found'),
  ],
  ...["timed out", "timeout", "connection refused", "deadline exceeded", "Too Many Requests", "failed to prepare subPath"].map(
    (why): [string, BuildState, KubeEvent[], undefined] => [
      `what may be there in a minute: ${why}`,
      pending("CreateContainerConfigError", `failed to sync secret cache: ${why} for it`),
      [],
      undefined,
    ],
  ),
  ["what is not in a volume yet", pending("CreateContainerConfigError", "stat /data/a: no such file or directory"), [], undefined],

  ["an image that backs off", SILENT, [], undefined],
  [
    "the Event of its pull",
    SILENT,
    [makeEvent("Failed", 'Failed to pull image "a:1": manifest unknown')],
    say("image-not-found", "image not found - a tag 1"),
  ],
  ["another Event", SILENT, [makeEvent("Pulling", 'Failed to pull image "a:1": manifest unknown')], undefined],
  ["an Event that quotes one", SILENT, [makeEvent("Failed", 'Error: Failed to pull image "a:1": manifest unknown')], undefined],
  [
    "its status, where that says why, whatever an Event says",
    pending("ImagePullBackOff", `${BACK_OFF}: ErrImagePull: manifest unknown`),
    [makeEvent("Failed", 'Failed to pull image "a:1": 429 Too Many Requests')],
    say("image-not-found", "image not found - a tag 1"),
  ],

  [
    "a volume's key that is not there",
    CREATING,
    [makeEvent("FailedMount", 'MountVolume.SetUp failed for volume "s" : references non-existent secret key: pass.word now')],
    say("volume-not-found", "references non-existent secret key: pass.word"),
  ],
  [
    "a claim that is not there",
    CREATING,
    [makeEvent("FailedMount", 'PersistentVolumeClaim "data" not found')],
    say("volume-not-found", 'PersistentVolumeClaim "data" not found'),
  ],
  [
    "the same in the scheduler's words",
    unscheduled('0/1 nodes are available: persistentvolumeclaim "data" not found. more'),
    [],
    {
      ...say("volume-not-found", 'persistentvolumeclaim "data" not found'),
      evidence: { scheduler: '0/1 nodes are available: persistentvolumeclaim "data" not found. more' },
    },
  ],
  ...PROVISIONING.map(([what, message, found]): (typeof ROWS)[number] => [
    what,
    UNBOUND,
    [makeEvent("ProvisioningFailed", message)],
    found && { ...found, evidence: { event: message } },
  ]),
  ["an Event that is none of its provisioner's", UNBOUND, [makeEvent("FailedScheduling", 'storageclass "fast" not found')], undefined],
  ["a full node", unscheduled("0/1 nodes are available: 1 Insufficient cpu."), [], undefined],

  [
    "a sandbox beyond the limits of its containers together",
    LIMITED,
    [makeEvent("FailedCreatePodSandBox", OOM)],
    { ...say("not-runnable", "cannot start the pod - memory limit 2Mi + 1Mi is too low"), evidence: { event: OOM } },
  ],
  [
    "a sandbox with other words that would be a container's own fault",
    LIMITED,
    [makeEvent("FailedCreatePodSandBox", 'exec: "/pause": permission denied: unknown')],
    undefined,
  ],
  ["such words of another Event", LIMITED, [makeEvent("BackOff", OOM)], undefined],
  ["a sandbox in want of the node's memory", CREATING, [makeEvent("FailedCreatePodSandBox", OOM)], undefined],

  [
    "an eviction for the pod's own limit, before the pod tells it",
    EXITED,
    [makeEvent("Evicted", NO_DISK)],
    { ...say("out-of-disk", "FAILURE - out of disk (limit 20Mi)"), evidence: { event: NO_DISK } },
  ],
  ["such words of another Event", EXITED, [makeEvent("Killing", NO_DISK)], undefined],

  [
    "a pod that is forbidden",
    WITHOUT_POD,
    [refused('pods "a-" is forbidden: no')],
    {
      ...say("pod-refused", 'pods "a-" is forbidden: no'),
      result: "no",
      evidence: { event: 'Error creating: pods "a-" is forbidden: no' },
    },
  ],
  [
    "one that is invalid",
    WITHOUT_POD,
    [refused('Pod "a-" is invalid: spec.volumes: Required value')],
    { ...say("pod-refused", 'Pod "a-" is invalid: spec.volumes: Required value'), result: "spec.volumes: Required value" },
  ],
  [
    "a controller that words it otherwise",
    WITHOUT_POD,
    [makeEvent("FailedCreate", 'pods "a-" is forbidden: Error creating: no')],
    { ...say("pod-refused", 'pods "a-" is forbidden: Error creating: no'), result: "Error creating: no" },
  ],
  ...[
    'pods "a-" is forbidden: violates PodSecurity "restricted:latest": host namespaces',
    "pods \"a-\" is forbidden: ValidatingAdmissionPolicy 'require-team' with binding 'b' denied request: ask the server's owner",
    'admission webhook "p.example.org" denied the request: Internal error, or a timeout, is no reason',
  ].map((why): [string, BuildState, KubeEvent[], Found] => [`a denial: ${why}`, WITHOUT_POD, [refused(why)], say("pod-refused", why)]),
  ...["i/o timeout", "context deadline exceeded", "connection refused", "connection reset by peer", "no such host"].map(
    (why): [string, BuildState, KubeEvent[], undefined] => [
      `a denial by who could not ask: ${why}`,
      WITHOUT_POD,
      [refused(`admission webhook "p.example.org" denied the request: registry: ${why}`)],
      undefined,
    ],
  ),
  ...[
    'pods "a-" is forbidden: status unknown for quota: team, resources: pods',
    'pods "a-" is forbidden: failed calling webhook "p.example.org"',
    'pods "a-" is forbidden: Internal error occurred',
    'pods "a-" is forbidden: the server could not find it',
    'pods "a-" is forbidden: etcdserver: leader changed',
    'pods "a-" is forbidden: dial: connection refused',
    'pods "a-" is forbidden: request timed out',
    "no endpoints available",
  ].map((why): [string, BuildState, KubeEvent[], undefined] => [`what may pass: ${why}`, WITHOUT_POD, [refused(why)], undefined]),
  [
    "a namespace that goes",
    WITHOUT_POD,
    [refused('pods "a-" is forbidden: unable to create new content in namespace ci because it is being terminated')],
    say("namespace-terminating", "its namespace is being deleted"),
  ],
  ["a test that was made and not begun, its sandbox lost", withoutSandbox({ containerStatuses: [MADE] }), [], LOST],
  [
    "an init container that has ended, its sandbox lost",
    withoutSandbox({
      initContainerStatuses: [{ ...terminated("fetch", 0), containerID: "containerd://f" }],
      containerStatuses: [waiting("test", "PodInitializing")],
    }),
    [],
    LOST,
  ],
  ["a sandbox that is yet to come", withoutSandbox({ containerStatuses: [{ ...CREATED, containerID: "" }] }), [], undefined],
  ["one that is there", withSandbox("True", { containerStatuses: [MADE] }), [], undefined],
  ["one of which the kubelet does not tell", pending("ContainerCreating"), [], undefined],
];

function say(rule: string, sentence: string): Found {
  return { rule, sentence };
}

describe("what keeps a build from going on:", () => {
  for (const [seen, state, events, found] of ROWS) {
    test(`${seen}: ${found?.rule ?? "nothing final"}`, () => {
      const { rule, sentence, result, evidence } = observeTrouble(state, events) ?? {};
      assert.deepEqual([rule, sentence], [found?.rule, found?.sentence]);
      if (found?.result !== undefined) assert.equal(result, found.result);
      if (found?.evidence !== undefined) assert.deepEqual(evidence, found.evidence);
    });
  }

  test("a full quota: for as long as it is full, which may be for ever", () => {
    const why = 'pods "a-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=5, limited: pods=5';
    const event = `Error creating: ${why}`;
    assert.deepEqual(observeTrouble(WITHOUT_POD, [refused(why)]), {
      ...{ rule: "quota-full", key: "quota-full", finalAfterMs: undefined },
      ...{ sentence: event, evidence: { event } },
    });
  });
});

describe("Events are asked for", () => {
  test("of a pod that backs off from an image without saying why", () => {
    assert.deepEqual(eventsWanted(SILENT), { of: "pod", afterMs: 20_000 });
    for (const message of [`${BACK_OFF}: ErrImagePull: EOF`, `a ${BACK_OFF}`]) {
      assert.equal(eventsWanted(pending("ImagePullBackOff", message)), undefined, message);
    }
    assert.equal(eventsWanted(pending("RegistryUnavailable", BACK_OFF)), undefined);
    const both = [waiting("test", "ContainerCreating"), waiting("web", "ErrImagePull", "EOF")];
    assert.equal(eventsWanted(observe(makeJob(), [makePod({ status: { phase: "Pending", containerStatuses: both } })])), undefined);
  });
});
