import * as z from "zod";
import { judgedContainer, TEST_CONTAINER } from "../../kubernetes/container-roles.ts";
import { checksSchema } from "./check.ts";
import { artifactsSchema, checkoutSchema } from "./checkout.ts";
import { envFromSchema, envListSchema, servicesSchema } from "./container.ts";
import { datasetsSchema } from "./dataset.ts";
import { jobNameSchema, nodeLabelNameSchema } from "./function-part.ts";
import { annotationsSchema, labelsSchema } from "./metadata.ts";
import { resourcesSchema, tolerationsSchema } from "./pod.ts";
import { mapListOf, matchingString, renderCelString, setOf, textRules, withRules } from "./rule.ts";
import { durationSchema, imageSchema, labelValueSchema, objectNameSchema } from "./scalar.ts";
import { securityContextSchema } from "./security.ts";
import { podTemplateSchema } from "./template.ts";

/**
 * The schema of `turbo-hipster.io/v1alpha1` TestTask specs, written once: this program parses with it, the CRD is rendered from it
 * (`core/test-task/crd.ts`), so what holds in one holds in the other. Defaults here are the CRD's defaults as well, so that
 * `kubectl get -o yaml` shows what is in force. Lists, maps and texts all have limits: the API server prices CEL rules by them.
 */
export const MAX_FUNCTIONS = 1000;
const MAX_SCRIPT_BYTES = 65_536;

/** What execve(2) can make something of. */
const INTERPRETER_PATTERN = "^#![ \\t]*/[^\\r\\n]*(\\n|$)";
const INTERPRETER_REG_EXP = new RegExp(INTERPRETER_PATTERN);

const pipelineName = matchingString(
  "^[A-Za-z0-9_]([A-Za-z0-9_. -]*[A-Za-z0-9_.-])?$",
  100,
  "must be the name of a pipeline as in Zuul's layout: letters, digits, '_', '.', '-' and blanks within",
);

const nodeSelectorSchema = z
  .record(z.string(), labelValueSchema)
  .refine((selector) => Object.keys(selector).length <= 50, "must have at most 50 entries")
  .meta({ maxProperties: 50 });

const timeoutsSchema = z.strictObject({
  schedule: durationSchema
    .meta({
      description:
        "How long a build may wait for a node. Without it there is no limit: a full cluster slows Zuul down and fails nothing. A build that waited longer is given back to Zuul, which runs it again.",
    })
    .exactOptional(),
  pull: durationSchema
    .meta({
      description:
        "How long pulling images may take once the pod has a node. A build that needs longer is given back to Zuul, which runs it again.",
    })
    .default("10m"),
  run: durationSchema
    .meta({
      description: "How long the test may run, counted from the start of its container. A longer one is ended and reported as TIMED_OUT.",
    })
    .default("1h"),
  collect: durationSchema
    .meta({ description: "How long storing the artifacts may take after the test has ended; 10m by default." })
    .default("10m"),
});

const nodeLabelSchema = z.strictObject({
  name: nodeLabelNameSchema.meta({
    description: "The label as Zuul sends it in ZUUL_NODE; requests for build:<job>:<name> are served too.",
  }),
  image: imageSchema.meta({ description: "Image instead of spec.image for these builds." }).exactOptional(),
  nodeSelector: nodeSelectorSchema.meta({ description: "Node labels that the pod needs, added to those of the template." }).exactOptional(),
  tolerations: tolerationsSchema.meta({ description: "Tolerations added to those of the template." }).exactOptional(),
  resources: resourcesSchema.meta({ description: "Resources instead of spec.resources for these builds." }).exactOptional(),
});

const specSchema = z.strictObject({
  jobs: setOf(jobNameSchema, { min: 1, max: MAX_FUNCTIONS })
    .meta({ description: "Names of the Zuul jobs whose builds this task runs, as in Zuul's layout. Without it: the name of the TestTask." })
    .exactOptional(),
  nodeLabels: mapListOf(nodeLabelSchema, "name", { max: 50 })
    .meta({ description: "Node labels that are served beside the plain job names, each with its differences." })
    .exactOptional(),
  suspend: z
    .boolean()
    .meta({ description: "true: stays registered with Gearman but takes no new builds; they wait. Running builds go on." })
    .default(false),
  maxConcurrent: withRules(z.int().max(100_000), [
    { cel: "self >= 1", holds: (count) => count >= 1, message: "must be at least 1; to take no builds at all use spec.suspend: true" },
  ])
    .meta({ description: "How many builds of this task may run at once. Without it only the installation's limit counts." })
    .exactOptional(),
  pipelines: setOf(pipelineName, { min: 1, max: 50 })
    .meta({
      description:
        "Pipelines of Zuul whose builds are taken; builds of others are refused. Without it those of all. A task with secrets should say so: in a check pipeline anybody's change runs.",
    })
    .exactOptional(),
  timeouts: timeoutsSchema
    .meta({ description: "Limits on the time of a build, each counted from the moment its step starts." })
    .prefault({}),
  checkout: checkoutSchema
    .meta({
      description:
        "Checks out what Zuul prepared (ZUUL_URL, ZUUL_PROJECT, ZUUL_REF, ZUUL_COMMIT) before the test starts. Without it nothing is checked out.",
    })
    .default({ enabled: false, path: "/workspace" }),
  image: imageSchema
    .meta({ description: "Image of the test's container. With a template it replaces the image of the judged container." })
    .exactOptional(),
  script: z
    .string()
    .max(MAX_SCRIPT_BYTES)
    .min(1)
    .meta({
      description:
        "Script that is the test: a file, run by the interpreter that its first line names after #!, else by sh -e. Without it the image's or the template's own command is the test.",
    })
    .exactOptional(),
  env: envListSchema({ max: 200, maxKibibytes: 32 })
    .meta({ description: "Environment variables of the test's container. They win over parameters of the request with the same name." })
    .exactOptional(),
  envFrom: envFromSchema
    .meta({
      description:
        "Secrets and ConfigMaps whose keys become environment variables of the test's container; env and parameters of the request win over them.",
    })
    .exactOptional(),
  resources: resourcesSchema.meta({ description: "Resources of the test's container." }).exactOptional(),
  services: servicesSchema
    .meta({
      description:
        "Containers beside the test, such as a database, which it reaches at localhost. They start one after another, each when the one before is ready, then the test; they end after it.",
    })
    .exactOptional(),
  serviceAccountName: objectNameSchema
    .meta({
      description: "Service account of the pod. Its token is mounted only where the template says automountServiceAccountToken: true.",
    })
    .exactOptional(),
  securityContext: securityContextSchema
    .meta({
      description:
        "What differs from the restricted default (user, group and file group 1000, no root, no capabilities), for checkout, services and test alike.",
    })
    .exactOptional(),
  priorityClassName: objectNameSchema.meta({ description: "PriorityClass of the pod." }).exactOptional(),
  labels: labelsSchema.meta({ description: "Labels of the Jobs and pods, such as kueue.x-k8s.io/queue-name." }).exactOptional(),
  annotations: annotationsSchema.meta({ description: "Annotations of the Jobs and pods." }).exactOptional(),
  artifacts: artifactsSchema
    .meta({ description: "Files to keep beside the log, where the installation has a store for logs." })
    .exactOptional(),
  datasets: datasetsSchema
    .meta({
      description:
        "Data that the test runs on, a private copy of it or one that it can only read. A build uses those that match its project and branch.",
    })
    .exactOptional(),
  whenNoDataset: z
    .enum(["refuse", "succeed"])
    .meta({
      description:
        "What becomes of a build that matches none of the datasets: refused as a configuration error (the default), or answered with SUCCESS without running anything.",
    })
    .default("refuse"),
  checks: checksSchema
    .meta({
      description: "What the log, and what the test leaves, must show beside exit code 0. Needs a store for logs in the installation.",
    })
    .exactOptional(),
  template: podTemplateSchema
    .meta({
      description:
        "A whole PodTemplateSpec. Its container named test, or else its first, is the test; image, script, env, envFrom and resources are laid over that container, the other fields over the pod.",
    })
    .exactOptional(),
});

/** `judgedContainer` in CEL. */
const JUDGED_HAS_IMAGE_CEL =
  "self.template.spec.containers.exists(c, c.name == 'test') ? self.template.spec.containers.exists(c, c.name == 'test' && has(c.image)) : has(self.template.spec.containers[0].image)";

export const testTaskSpecSchema = withRules(specSchema, [
  {
    cel: "has(self.image) || has(self.template)",
    holds: ({ image, template }) => image !== undefined || template !== undefined,
    message: "must have image (with script, unless the image's own command is the test) or template",
  },
  {
    cel: `has(self.image) || !has(self.template) || self.template.spec.containers.size() == 0 || (${JUDGED_HAS_IMAGE_CEL})`,
    holds: ({ image, template }) => {
      if (image !== undefined || template === undefined) return true;
      const judged = judgedContainer(template.spec);
      return judged === undefined || judged.image !== undefined;
    },
    message: "the container that is the test (the one named test, or else the first) has no image; set it there or in spec.image",
    field: "template",
  },
  {
    cel: `!has(self.jobs) || !has(self.nodeLabels) || self.jobs.size() * (self.nodeLabels.size() + 1) <= ${MAX_FUNCTIONS}`,
    holds: ({ jobs, nodeLabels }) => (jobs?.length ?? 1) * ((nodeLabels?.length ?? 0) + 1) <= MAX_FUNCTIONS,
    message: `jobs times node labels make more than ${MAX_FUNCTIONS} functions; divide them between several TestTasks`,
    field: "jobs",
  },
  {
    cel: "!has(self.services) || !has(self.template) || self.services.all(service, !self.template.spec.containers.exists(c, c.name == service.name) && (!has(self.template.spec.initContainers) || !self.template.spec.initContainers.exists(c, c.name == service.name)))",
    holds: ({ services = [], template }) =>
      !services.some(({ name }) =>
        [template?.spec.containers, template?.spec.initContainers].some((list) => list?.some((c) => c.name === name)),
      ),
    message: "must not have the name of a container of the template; rename one of them",
    field: "services",
  },
  {
    cel: `!has(self.datasets) || self.datasets.all(dataset, dataset.containers.all(c, c == '${TEST_CONTAINER}' || (has(self.services) && self.services.exists(service, service.name == c))))`,
    holds: ({ datasets = [], services = [] }) =>
      datasets.every(({ containers }) => containers.every((c) => c === TEST_CONTAINER || services.some(({ name }) => name === c))),
    message: `must have in containers only ${TEST_CONTAINER} and names of spec.services`,
    field: "datasets",
  },
  {
    cel: "!has(self.datasets) || !self.datasets.exists(dataset, dataset.path == (has(self.checkout.path) ? self.checkout.path : '/workspace'))",
    holds: ({ datasets = [], checkout }) => !datasets.some(({ path }) => path === checkout.path),
    message: "must not have the path of the workspace (checkout.path); choose another",
    field: "datasets",
  },
  {
    cel: `!has(self.script) || !self.script.startsWith('#!') || self.script.matches(${renderCelString(INTERPRETER_PATTERN)})`,
    holds: ({ script }) => !script?.startsWith("#!") || INTERPRETER_REG_EXP.test(script),
    message:
      "a first line #! must name an interpreter by its whole path, such as #!/bin/bash or #!/usr/bin/env python3, and not end with a carriage return (Windows line ends)",
    field: "script",
  },
  ...textRules("script", MAX_SCRIPT_BYTES, "must be at most 64 KiB; keep longer scripts in the repository or the image"),
]).meta({ description: "Which Zuul jobs the task serves and how the pod of their builds looks." });

const MAX_NAME_LENGTH = 40;

/** Job names are made from it, and labels carry it; the API server's own rule for names would allow dots and 253 characters. */
export const testTaskNameSchema = withRules(z.string().min(1), [
  {
    cel: `self.size() <= ${MAX_NAME_LENGTH}`,
    holds: (name) => name.length <= MAX_NAME_LENGTH,
    message: `must be at most ${MAX_NAME_LENGTH} characters long; the Zuul job's own name goes into spec.jobs`,
  },
  {
    cel: "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
    holds: (name) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name),
    message:
      "must consist of lower-case letters, digits and '-', and begin and end with a letter or digit; the Zuul job's own name goes into spec.jobs",
  },
]);
