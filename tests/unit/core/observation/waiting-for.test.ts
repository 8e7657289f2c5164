import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { rolesOfTemplate } from "../../../../src/core/kubernetes/container-roles.ts";
import { observeBuild } from "../../../../src/core/observation/build-state.ts";
import { describeWaiting } from "../../../../src/core/observation/waiting-for.ts";
import { makeEvent, makeJob, makePod, running, UNSCHEDULED, waiting } from "../../../support/objects/build-objects.ts";

const NEXT = waiting("test", "PodInitializing");
const pulling = (message: string) => ({ containerStatuses: [waiting("test", "ImagePullBackOff", message)] });
const SILENT = { containerStatuses: [waiting("test", "ContainerCreating")] };
const FAILED_MOUNT = makeEvent("FailedMount", "timed out waiting for the condition");
const SANDBOX = makeEvent("FailedCreatePodSandBox", "failed to set up sandbox container network: no free address", "2026-01-01T00:01:00Z");

const ROWS: [string, Parameters<typeof makePod>[0], Parameters<typeof describeWaiting>[1], string | undefined][] = [
  [
    "an image, by its name, its container and the kubelet's words",
    { status: pulling('Back-off pulling image "reg:5000/ci/a:1": ErrImagePull: 500 Internal Server Error') },
    [],
    'image ci/a tag 1 at reg port 5000 of container test - ImagePullBackOff - Back-off pulling image "reg:5000/ci/a:1": ErrImagePull: 500 Internal Server Error',
  ],
  [
    "an image whose cause the Event tells",
    { status: pulling('Back-off pulling image "ci/a:1"') },
    [makeEvent("Failed", 'Failed to pull image "ci/a:1": i/o timeout'), makeEvent("Failed", 'Failed to pull image "b": not found')],
    'image ci/a tag 1 of container test - ImagePullBackOff - Failed to pull image "ci/a:1": i/o timeout',
  ],
  [
    "an image, whose cause nobody tells",
    { status: pulling('Back-off pulling image "ci/a:1"') },
    [],
    "image ci/a tag 1 of container test - ImagePullBackOff",
  ],
  [
    "an image, by the Event of its pull and no later one",
    { status: pulling('Back-off pulling image "ci/a:1"') },
    [
      makeEvent("Failed", 'Failed to pull image "ci/a:1": i/o timeout'),
      makeEvent("BackOff", 'Back-off pulling image "ci/a:1"', "2026-01-01T00:01:00Z"),
    ],
    'image ci/a tag 1 of container test - ImagePullBackOff - Failed to pull image "ci/a:1": i/o timeout',
  ],
  [
    "an image that nobody names",
    { status: { containerStatuses: [waiting("test", "ErrImagePull", "EOF")] } },
    [makeEvent("Failed", "Error: ErrImagePull")],
    "image of container test - ErrImagePull - EOF",
  ],
  [
    "an image, in words that only begin as those of the kubelet do not",
    { status: pulling('rpc error: Back-off pulling image "ci/a:1"') },
    [makeEvent("Failed", 'Failed to pull image "ci/a:1": i/o timeout')],
    'image ci/a tag 1 of container test - ImagePullBackOff - rpc error: Back-off pulling image "ci/a:1"',
  ],
  [
    "a container that gives a reason alone",
    { status: { containerStatuses: [waiting("test", "CrashLoopBackOff")] } },
    [],
    "container test - CrashLoopBackOff",
  ],
  ...["AErrImagePull", "ErrImagePullA"].map((reason): (typeof ROWS)[number] => [
    `a reason that is another, ${reason}`,
    { status: { containerStatuses: [waiting("test", reason, "why")] } },
    [],
    `container test - ${reason} - why`,
  ]),
  [
    "another container's trouble",
    { status: { containerStatuses: [waiting("test", "CreateContainerError", "context deadline exceeded")] } },
    [],
    "container test - CreateContainerError - context deadline exceeded",
  ],
  [
    "an init container that runs",
    { spec: { initContainers: [{ name: "setup" }] }, status: { initContainerStatuses: [running("setup")], containerStatuses: [NEXT] } },
    [],
    "init container setup still runs",
  ],
  [
    "no service, which runs all the time",
    {
      spec: { initContainers: [{ name: "db", restartPolicy: "Always" }] },
      status: { initContainerStatuses: [running("db")], containerStatuses: [waiting("test", "ContainerCreating")] },
    },
    [],
    "container test is being created",
  ],
  ["a sandbox", { status: SILENT }, [FAILED_MOUNT, SANDBOX], `FailedCreatePodSandBox - ${SANDBOX.message}`],
  ["a mount", { status: SILENT }, [FAILED_MOUNT], `FailedMount - ${FAILED_MOUNT.message}`],
  [
    "a volume that another node holds",
    { status: SILENT },
    [makeEvent("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) other')],
    'FailedAttachVolume - Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) other',
  ],
  ["the creation, where no Event tells", { status: SILENT }, [makeEvent("Unhealthy", "probe")], "container test is being created"],
  ["nothing, where it waits for a node", UNSCHEDULED, [], undefined],
];

describe("a pod with a node waits for", () => {
  for (const [name, pod, events, waited] of ROWS) {
    test(name, () => {
      const made = makePod(pod);
      const state = observeBuild(makeJob(), [made], rolesOfTemplate(made.spec), () => undefined);
      assert.equal(describeWaiting(state, events), waited);
    });
  }
});

test("a Job without a pod waits for what its controller said last of that", () => {
  const state = observeBuild(makeJob(), [], rolesOfTemplate(makePod().spec), () => undefined);
  const said = (message: string, at: string) => makeEvent("FailedCreate", message, at);
  const events = [said("second", "2026-01-01T00:02:00Z"), said("first", "2026-01-01T00:01:00Z")];
  assert.equal(describeWaiting(state, [...events, makeEvent("SuccessfulCreate", "third", "2026-01-01T00:03:00Z")]), "second");
  assert.equal(describeWaiting(state, []), undefined);
});

describe("a pod whose containers say nothing waits for", () => {
  const state = observeBuild(makeJob(), [makePod({ status: SILENT })], rolesOfTemplate(makePod().spec), () => undefined);
  const REASONS = ["FailedCreatePodSandBox", "FailedMount", "FailedAttachVolume", "FailedMapVolume"];
  for (const reason of [...REASONS, "NetworkNotReady", "FailedPrepareDynamicResources"]) {
    test(`what ${reason} says, and no other reason that has that in it`, () => {
      assert.equal(describeWaiting(state, [makeEvent(reason, "why")]), `${reason} - why`);
      for (const other of [`Never${reason}`, `${reason}Lately`]) {
        assert.equal(describeWaiting(state, [makeEvent(other, "why")]), "container test is being created", other);
      }
    });
  }
});
