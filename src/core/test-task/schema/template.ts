import * as z from "zod";
import { judgedContainer } from "../../kubernetes/container-roles.ts";
import { notOwnContainer, notOwnVolume } from "./reserved-names.ts";
import { mapListOf, withRules } from "./rule.ts";

/**
 * The pod template. What this program walks has a type, and what a build's pod may not have is refused; every other field of Kubernetes'
 * own is kept as it is written: whether it is right is for the API server to say. docs/pod-fields.md tells of each.
 */

const MAX_CONTAINERS = 50;
const MAX_VARIABLES = 500;
const MAX_MOUNTS = 200;

const RUNS_ONCE = "the pod of a build runs once; Zuul has attempts for what is to be tried again";
const MAX_GRACE_SECONDS = 600;

const objectSchema = z.looseObject({});

/** A list that only has to be one, of objects. */
const listOfObjects = (max: number) => z.array(objectSchema).max(max).meta({ "x-kubernetes-list-type": "atomic" });

/** What containers and init containers have in common. */
const containerFields = {
  name: notOwnContainer(z.string().min(1).max(63)),
  image: z.string().max(1000).meta({ description: "Image of the container." }).exactOptional(),
  env: z
    .array(z.looseObject({ name: z.string().max(1000).meta({ description: "Name of the variable." }) }))
    .max(MAX_VARIABLES)
    .meta({ description: "Environment variables of the container.", "x-kubernetes-list-type": "atomic" })
    .exactOptional(),
  envFrom: listOfObjects(MAX_VARIABLES).meta({ description: "Where further environment variables come from." }).exactOptional(),
  volumeMounts: z
    .array(
      z.looseObject({
        name: z.string().max(253).meta({ description: "Name of the volume." }),
        mountPath: z.string().max(4096).meta({ description: "Where it is mounted." }),
      }),
    )
    .max(MAX_MOUNTS)
    .meta({ description: "Volumes that the container sees.", "x-kubernetes-list-type": "atomic" })
    .exactOptional(),
  securityContext: objectSchema.meta({ description: "What differs from the restricted default." }).exactOptional(),
  lifecycle: objectSchema.meta({ description: "Hooks of the container." }).exactOptional(),
  restartPolicyRules: listOfObjects(20).meta({ description: "Not to be used: the pod of a build runs once." }).exactOptional(),
};

const noRestartRules = {
  cel: "!has(self.restartPolicyRules)",
  holds: ({ restartPolicyRules }: { restartPolicyRules?: unknown }) => restartPolicyRules === undefined,
  message: `must be left out: ${RUNS_ONCE}`,
  field: "restartPolicyRules",
};

const neverSchema = withRules(z.string().max(20), [
  { cel: "self == 'Never'", holds: (policy) => policy === "Never", message: `must be Never or left out: ${RUNS_ONCE}` },
]);

const containerSchema = withRules(
  z.looseObject({
    ...containerFields,
    name: containerFields.name.meta({ description: "Name of the container; the one named test is the test." }),
    restartPolicy: neverSchema.meta({ description: "Never, or left out." }).exactOptional(),
  }),
  [noRestartRules],
);

const initContainerSchema = withRules(
  z.looseObject({
    ...containerFields,
    name: containerFields.name.meta({ description: "Name of the container." }),
    restartPolicy: withRules(z.string().max(20), [
      {
        cel: "self in ['Always', 'Never']",
        holds: (policy) => policy === "Always" || policy === "Never",
        message: `must be Always (a sidecar), Never or left out: ${RUNS_ONCE}`,
      },
    ])
      .meta({ description: "Always for a sidecar, which goes on beside the test." })
      .exactOptional(),
  }),
  [noRestartRules],
);

const SETS_OURS_CEL = (container: string) => `has(${container}.env) && ${container}.env.exists(e, e.name.startsWith('TH_'))`;

const podSpecSchema = withRules(
  z.looseObject({
    containers: mapListOf(containerSchema, "name", { min: 1, max: MAX_CONTAINERS }).meta({
      description: "Containers of the pod. The one named test, or else the first, is the test; the others are ended with it.",
    }),
    initContainers: mapListOf(initContainerSchema, "name", { max: MAX_CONTAINERS })
      .meta({ description: "Containers that run before the test, after the checkout and the services." })
      .exactOptional(),
    volumes: mapListOf(
      z.looseObject({ name: notOwnVolume(z.string().min(1).max(63)).meta({ description: "Name of the volume." }) }),
      "name",
      {
        max: 200,
      },
    )
      .meta({ description: "Volumes of the pod." })
      .exactOptional(),
    tolerations: listOfObjects(200).meta({ description: "Taints that the pod tolerates." }).exactOptional(),
    nodeSelector: z
      .record(z.string(), z.string().max(1000))
      .refine((selector) => Object.keys(selector).length <= 100, "must have at most 100 entries")
      .meta({ description: "Labels that the node needs.", maxProperties: 100 })
      .exactOptional(),
    securityContext: objectSchema.meta({ description: "What differs from the restricted default." }).exactOptional(),
    restartPolicy: neverSchema.meta({ description: "Never, or left out." }).exactOptional(),
    activeDeadlineSeconds: z.int().meta({ description: "Not to be used here; see spec.timeouts.", format: "int64" }).exactOptional(),
    terminationGracePeriodSeconds: withRules(z.int(), [
      {
        cel: `self >= 0 && self <= ${MAX_GRACE_SECONDS}`,
        holds: (seconds) => seconds >= 0 && seconds <= MAX_GRACE_SECONDS,
        message: `must be from 0 to ${MAX_GRACE_SECONDS}: so long a test that is stopped may still run`,
      },
    ])
      .meta({ description: "How long containers may take to end after TERM; 30 without it.", format: "int64" })
      .exactOptional(),
    ephemeralContainers: listOfObjects(MAX_CONTAINERS)
      .meta({ description: "Not to be used here; kubectl debug adds them to a pod that runs." })
      .exactOptional(),
    os: withRules(z.looseObject({ name: z.string().max(20).meta({ description: "linux." }) }), [
      {
        cel: "self.name == 'linux'",
        holds: ({ name }) => name === "linux",
        message: "must be linux or left out: pods of builds run on Linux",
        field: "name",
      },
    ])
      .meta({ description: "Operating system of the pod; linux." })
      .exactOptional(),
  }),
  [
    {
      cel: "!has(self.activeDeadlineSeconds)",
      holds: ({ activeDeadlineSeconds }) => activeDeadlineSeconds === undefined,
      message: "is set by turbo-hipster; limit the test's time with spec.timeouts.run",
      field: "activeDeadlineSeconds",
    },
    {
      cel: "!has(self.initContainers) || !self.initContainers.exists(init, self.containers.exists(c, c.name == init.name))",
      holds: ({ initContainers = [], containers }) =>
        !initContainers.some((init) => containers.some((container) => container.name === init.name)),
      message: "must not have the name of one of containers; rename one of them",
      field: "initContainers",
    },
    {
      cel: `self.containers.exists(c, c.name == 'test') ? !self.containers.exists(c, c.name == 'test' && ${SETS_OURS_CEL("c")}) : (self.containers.size() == 0 || !(${SETS_OURS_CEL("self.containers[0]")}))`,
      holds: (spec) => !judgedContainer(spec)?.env?.some(({ name }) => name.startsWith("TH_")),
      message: "the test's environment must not set names that start with TH_: turbo-hipster sets them; choose others",
      field: "containers",
    },
    {
      cel: "!has(self.ephemeralContainers)",
      holds: ({ ephemeralContainers }) => ephemeralContainers === undefined,
      message: "must be left out: kubectl debug adds them to a pod that runs; what belongs to every build goes into containers",
      field: "ephemeralContainers",
    },
  ],
);

export const podTemplateSchema = z.looseObject({
  metadata: z
    .looseObject({
      labels: z.record(z.string(), z.string()).meta({ description: "Labels of the pod." }).exactOptional(),
      annotations: z.record(z.string(), z.string()).meta({ description: "Annotations of the pod." }).exactOptional(),
    })
    .meta({ description: "Labels and annotations of the pod." })
    .exactOptional(),
  spec: podSpecSchema.meta({ description: "The PodSpec; every field of Kubernetes' own is allowed." }),
});
