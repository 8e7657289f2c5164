import * as z from "zod";
import { TEST_CONTAINER } from "../../kubernetes/container-roles.ts";
import { resourcesSchema } from "./pod.ts";
import { notOwnContainer } from "./reserved-names.ts";
import { mapListOf, matchingString, textRules, withRules } from "./rule.ts";
import { dnsLabelSchema, imageSchema, objectNameSchema, portSchema } from "./scalar.ts";

/** What a TestTask says of containers: environment, and the services beside the test. */

const keyReferenceSchema = z.strictObject({
  name: objectNameSchema.meta({ description: "Name of the object, in the TestTask's namespace." }),
  key: matchingString("^[A-Za-z0-9._-]+$", 253, "must be a key of a Secret or ConfigMap: letters, digits, '-', '_' and '.'").meta({
    description: "Key whose value is taken.",
  }),
  optional: z.boolean().meta({ description: "true: the variable is left out when object or key are missing." }).exactOptional(),
});

const valueFromSchema = withRules(
  z.strictObject({
    secretKeyRef: keyReferenceSchema.meta({ description: "A key of a Secret." }).exactOptional(),
    configMapKeyRef: keyReferenceSchema.meta({ description: "A key of a ConfigMap." }).exactOptional(),
  }),
  [
    {
      cel: "has(self.secretKeyRef) != has(self.configMapKeyRef)",
      holds: ({ secretKeyRef, configMapKeyRef }) => (secretKeyRef === undefined) !== (configMapKeyRef === undefined),
      message: "must have either secretKeyRef or configMapKeyRef",
    },
  ],
);

const envNameSchema = withRules(
  matchingString(
    "^[A-Za-z_][A-Za-z0-9_]*$",
    200,
    "must be the name of an environment variable: letters, digits and '_', not starting with a digit",
  ),
  [
    {
      cel: "!self.startsWith('TH_')",
      holds: (name) => !name.startsWith("TH_"),
      message: "names that start with TH_ are set by turbo-hipster; choose another",
    },
  ],
);

/** At most `max` variables with values of `maxKibibytes`: the API server prices the rules by both. */
export function envListSchema({ max, maxKibibytes }: { max: number; maxKibibytes: number }) {
  const maxBytes = maxKibibytes * 1024;
  const envSchema = withRules(
    z.strictObject({
      name: envNameSchema.meta({ description: "Name of the variable." }),
      value: z
        .string()
        .max(maxBytes)
        .meta({ description: "Its value. $(NAME) is replaced by Kubernetes as in any pod; $$ stands for one $." })
        .exactOptional(),
      valueFrom: valueFromSchema.meta({ description: "Where its value comes from, instead of value." }).exactOptional(),
    }),
    [
      {
        cel: "has(self.value) || has(self.valueFrom)",
        holds: ({ value, valueFrom }) => value !== undefined || valueFrom !== undefined,
        message: 'must be given, or valueFrom; an empty value is ""',
        field: "value",
      },
      {
        cel: "!has(self.value) || !has(self.valueFrom)",
        holds: ({ value, valueFrom }) => value === undefined || valueFrom === undefined,
        message: "goes without value; remove one of them",
        field: "valueFrom",
      },
      ...textRules("value", maxBytes, `must be at most ${maxKibibytes} KiB`),
    ],
  );
  return mapListOf(envSchema, "name", { max });
}

const sourceReferenceSchema = z.strictObject({
  name: objectNameSchema.meta({ description: "Name of the object, in the TestTask's namespace." }),
  optional: z.boolean().meta({ description: "true: nothing is missing when the object is." }).exactOptional(),
});

export const envFromSchema = z
  .array(
    withRules(
      z.strictObject({
        prefix: matchingString("^[A-Za-z_][A-Za-z0-9_]*$", 100, "must begin the name of an environment variable: letters, digits and '_'")
          .meta({ description: "Put before each key." })
          .exactOptional(),
        secretRef: sourceReferenceSchema.meta({ description: "A Secret." }).exactOptional(),
        configMapRef: sourceReferenceSchema.meta({ description: "A ConfigMap." }).exactOptional(),
      }),
      [
        {
          cel: "has(self.secretRef) != has(self.configMapRef)",
          holds: ({ secretRef, configMapRef }) => (secretRef === undefined) !== (configMapRef === undefined),
          message: "must have either secretRef or configMapRef",
        },
      ],
    ),
  )
  .max(50)
  .meta({ "x-kubernetes-list-type": "atomic" });

const wordsSchema = z.array(z.string().max(32_768)).max(100).meta({ "x-kubernetes-list-type": "atomic" });

const readySchema = withRules(
  z.strictObject({
    exec: z
      .strictObject({ command: wordsSchema.min(1).meta({ description: "Command and arguments; exit code 0 means ready." }) })
      .meta({ description: "A command in the service's container." })
      .exactOptional(),
    httpGet: z
      .strictObject({
        port: portSchema.meta({ description: "Port of the service." }),
        path: z.string().max(1000).meta({ description: "Path to ask for; / without it." }).exactOptional(),
        scheme: z.enum(["HTTP", "HTTPS"]).meta({ description: "HTTP without it." }).exactOptional(),
      })
      .meta({ description: "An HTTP request; any status from 200 to 399 means ready." })
      .exactOptional(),
    tcpSocket: z
      .strictObject({ port: portSchema.meta({ description: "Port of the service." }) })
      .meta({ description: "A TCP connection; ready when it opens." })
      .exactOptional(),
    periodSeconds: z.int().min(1).max(300).meta({ description: "How often it is tried.", format: "int32" }).default(1),
    timeoutSeconds: z.int().min(1).max(300).meta({ description: "How long one try may take.", format: "int32" }).default(5),
    failureThreshold: z
      .int()
      .min(1)
      .max(10_000)
      .meta({ description: "Tries that may fail before the service is started anew.", format: "int32" })
      .default(600),
  }),
  [
    {
      cel: "[has(self.exec), has(self.httpGet), has(self.tcpSocket)].filter(is, is).size() == 1",
      holds: ({ exec, httpGet, tcpSocket }) => [exec, httpGet, tcpSocket].filter((probe) => probe !== undefined).length === 1,
      message: "must have one of exec, httpGet and tcpSocket",
    },
  ],
);

const serviceSchema = z.strictObject({
  name: withRules(notOwnContainer(dnsLabelSchema), [
    {
      cel: `self != '${TEST_CONTAINER}'`,
      holds: (name) => name !== TEST_CONTAINER,
      message: `must not be ${TEST_CONTAINER}, which is the test's own container; rename it`,
    },
  ]).meta({ description: "Name of the service's container." }),
  image: imageSchema.meta({ description: "Image of the service." }),
  command: wordsSchema.meta({ description: "Command instead of the image's own; $(NAME) is replaced as in any pod." }).exactOptional(),
  args: wordsSchema.meta({ description: "Arguments of the command." }).exactOptional(),
  env: envListSchema({ max: 50, maxKibibytes: 8 }).meta({ description: "Environment variables of the service." }).exactOptional(),
  ports: z
    .array(
      z.strictObject({
        containerPort: portSchema.meta({
          description: "The port that the service listens on; the test reaches it at localhost.",
          format: "int32",
        }),
        name: matchingString("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", 15, "must be at most 15 lower-case letters, digits and '-'")
          .meta({ description: "Name of the port." })
          .exactOptional(),
        protocol: z.enum(["TCP", "UDP", "SCTP"]).meta({ description: "TCP without it." }).exactOptional(),
      }),
    )
    .max(20)
    .meta({ description: "Ports of the service; for people and policies, they are open without it.", "x-kubernetes-list-type": "atomic" })
    .exactOptional(),
  resources: resourcesSchema.meta({ description: "Resources of the service's container." }).exactOptional(),
  workspace: z
    .boolean()
    .meta({ description: "true: has the workspace too, with what was checked out, at the same path as the test (checkout.path)." })
    .exactOptional(),
  ready: readySchema.meta({ description: "When the service is ready; what comes after it waits for that." }).exactOptional(),
});

export const servicesSchema = mapListOf(serviceSchema, "name", { max: 20 });
export type TestTaskService = z.output<typeof serviceSchema>;
