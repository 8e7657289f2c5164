import * as z from "zod";
import { configSchema, dnsLabel } from "../../src/config.ts";

/**
 * The chart's values, those of values.yaml together with the user's: what is required here is there unless somebody has set it to null. What
 * each is for is told by values.yaml's comments alone. Parts that are Kubernetes' own are left to the API server.
 */

const strings = z.record(z.string(), z.string());
/** An object of Kubernetes' own, and a list of them. */
const theirs = z.looseObject({});
const listOfTheirs = z.array(theirs);
const name = z.string();
/** The API server takes 0.5 as well as "500m". */
const amounts = z.record(z.string(), z.union([z.number(), z.string()]));
const containers = z.array(z.looseObject({ name, image: z.string() }));
const host = z
  .string()
  .max(253)
  .regex(/^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
/** ADDRESS/BITS, of either family; the API server looks closer. */
const ranges = z.array(z.string().regex(/^([0-9]{1,3}(\.[0-9]{1,3}){3}\/[0-9]{1,2}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*\/[0-9]{1,3})$/));
const resources = z.strictObject({ requests: amounts.optional(), limits: amounts.optional(), claims: listOfTheirs.optional() });
const image = z.strictObject({
  repository: z
    .string()
    .min(1)
    .regex(/^[^@\s]+$/),
  tag: z
    .string()
    .regex(/^[A-Za-z0-9_.-]*$/)
    .optional(),
  digest: z
    .string()
    .regex(/^(sha256:[0-9a-f]{64})?$/)
    .optional(),
  pullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).optional(),
});

export const valuesSchema = z.strictObject({
  global: theirs.optional().describe("Helm gives it to charts that others depend on; not read here."),
  config: configSchema,
  replicas: z.int().min(1),
  podDisruptionBudget: z.strictObject({ enabled: z.boolean().optional() }),
  persistence: z.strictObject({
    existingClaim: z.string().optional(),
    size: z.string().regex(/^[0-9]+(\.[0-9]+)?([KMGTPE]i|[kMGTPE])?$/),
    accessMode: z.enum(["ReadWriteOnce", "ReadWriteMany"]),
    storageClass: z.string().optional(),
    keep: z.boolean().optional(),
  }),
  image,
  imagePullSecrets: z.array(z.strictObject({ name })).optional(),
  gearmand: z.strictObject({
    enabled: z.boolean().optional(),
    image,
    clients: listOfTheirs.optional(),
    resources: resources.optional(),
  }),
  crds: z.strictObject({ install: z.boolean().optional(), keep: z.boolean().optional() }),
  rbac: z.strictObject({ create: z.boolean().optional(), secrets: z.boolean().optional(), aggregate: z.boolean().optional() }),
  serviceAccount: z.strictObject({ create: z.boolean().optional(), name: z.string().optional(), annotations: strings.optional() }),
  service: z.strictObject({
    type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]).optional(),
    port: z.int().min(1).max(65_535).optional(),
    annotations: strings.optional(),
  }),
  ingress: z.strictObject({
    enabled: z.boolean().optional(),
    className: z.string().optional(),
    annotations: strings.optional(),
    host: z.union([z.literal(""), host]).optional(),
    tls: z.strictObject({ enabled: z.boolean(), secretName: z.string().optional() }),
  }),
  httpRoute: z.strictObject({
    enabled: z.boolean().optional(),
    annotations: strings.optional(),
    parentRefs: listOfTheirs.optional(),
    hostnames: z.array(host).optional(),
  }),
  networkPolicy: z.strictObject({
    podRanges: ranges,
    builds: z.strictObject({
      enabled: z.boolean().optional(),
      namespaces: z.array(dnsLabel).optional(),
      closedPorts: z.array(z.int().min(1).max(65_535)),
      closedRanges: ranges,
      ownPolicyLabel: z.string().min(1),
    }),
    operator: z.strictObject({ enabled: z.boolean().optional(), metricsFrom: listOfTheirs.optional() }),
  }),
  monitoring: z.strictObject({
    serviceMonitor: z.strictObject({
      enabled: z.boolean().optional(),
      labels: strings,
      interval: z.string().regex(/^([0-9]+(h|m|s|ms))+$/),
      relabelings: listOfTheirs.optional(),
      metricRelabelings: listOfTheirs.optional(),
    }),
    rules: z.strictObject({ enabled: z.boolean().optional(), labels: strings }),
    dashboard: z.strictObject({ enabled: z.boolean().optional(), labels: strings }),
  }),
  resources: resources.optional(),
  podSecurityContext: theirs.optional(),
  securityContext: theirs.optional(),
  terminationGracePeriodSeconds: z.int().min(0).nullable().optional(),
  commonLabels: strings.optional(),
  podAnnotations: strings.optional(),
  podLabels: strings.optional(),
  nodeSelector: strings.optional(),
  tolerations: listOfTheirs.optional(),
  affinity: theirs.optional(),
  topologySpreadConstraints: listOfTheirs.optional(),
  priorityClassName: z.string().optional(),
  extraEnv: z.array(z.strictObject({ name: z.string().min(1), value: z.string().optional(), valueFrom: theirs.optional() })).optional(),
  extraEnvFrom: listOfTheirs.optional(),
  extraVolumes: listOfTheirs.optional(),
  extraVolumeMounts: listOfTheirs.optional(),
  extraContainers: containers.optional(),
  extraInitContainers: containers.optional(),
  extraObjects: z.array(z.looseObject({ apiVersion: name, kind: name, metadata: z.looseObject({ name }) })).optional(),
  nameOverride: z.string().optional(),
  fullnameOverride: z.string().optional(),
});
