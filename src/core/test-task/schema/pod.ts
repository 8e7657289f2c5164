import * as z from "zod";
import { compareQuantities, isQuantity, QUANTITY_MAX_LENGTH } from "../../kubernetes/quantity.ts";
import { withRules } from "./rule.ts";

/** The parts of a TestTask that are Kubernetes' own: tolerations and resources, with the API server's rules for them. */

const tolerationSchema = withRules(
  z.strictObject({
    key: z
      .string()
      .max(317)
      .meta({ description: "Taint to tolerate; without it every taint, and operator must be Exists." })
      .exactOptional(),
    operator: z.enum(["Exists", "Equal"]).meta({ description: "Exists (any value) or Equal (the default)." }).exactOptional(),
    value: z.string().max(63).meta({ description: "Value of the taint, with operator Equal." }).exactOptional(),
    effect: z
      .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
      .meta({ description: "Effect to tolerate; without it every effect." })
      .exactOptional(),
    tolerationSeconds: z
      .int()
      .meta({ description: "How long a NoExecute taint is tolerated; without it for ever.", format: "int64" })
      .exactOptional(),
  }),
  [
    {
      cel: "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
      holds: ({ key, operator }) => (key ?? "") !== "" || operator === "Exists",
      message: "a toleration without key tolerates every taint and must say operator: Exists",
      field: "operator",
    },
    {
      cel: "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
      holds: ({ operator, value }) => operator !== "Exists" || (value ?? "") === "",
      message: "goes with operator Equal only; remove it or the operator Exists",
      field: "value",
    },
    {
      cel: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
      holds: ({ tolerationSeconds, effect }) => tolerationSeconds === undefined || effect === "NoExecute",
      message: "goes with effect: NoExecute only",
      field: "tolerationSeconds",
    },
  ],
);

export const tolerationsSchema = z.array(tolerationSchema).max(50).meta({ "x-kubernetes-list-type": "atomic" });

export const quantitySchema = withRules(
  z.union([z.int(), z.string().max(QUANTITY_MAX_LENGTH)]).meta({ "x-kubernetes-int-or-string": true, maxLength: QUANTITY_MAX_LENGTH }),
  [
    {
      cel: "type(self) == int ? self >= 0 : (isQuantity(self) && self.matches('^[0-9.]'))",
      holds: isQuantity,
      message: "must be a quantity such as 500m, 2 or 1Gi",
    },
  ],
);

const resourceListSchema = withRules(
  z
    .record(z.string(), quantitySchema)
    .refine((resources) => Object.keys(resources).length <= 20, "must have at most 20 entries")
    .meta({ maxProperties: 20 }),
  [
    {
      cel: "self.all(name, name in ['cpu', 'memory', 'ephemeral-storage'] || name.startsWith('hugepages-') || name.contains('/'))",
      holds: (resources) =>
        Object.keys(resources).every(
          (name) => ["cpu", "memory", "ephemeral-storage"].includes(name) || name.startsWith("hugepages-") || name.includes("/"),
        ),
      message: "only cpu, memory, ephemeral-storage, hugepages-<size> and names with a domain such as example.com/gpu are resources",
    },
  ],
);

export const resourcesSchema = withRules(
  z.strictObject({
    requests: resourceListSchema.meta({ description: "What the node must have free, such as cpu: 500m." }).exactOptional(),
    limits: resourceListSchema.meta({ description: "What the test may use at most, such as memory: 2Gi." }).exactOptional(),
  }),
  [
    {
      cel: "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
      holds: ({ requests = {}, limits = {} }) =>
        Object.entries(requests).every(([name, amount]) => limits[name] === undefined || compareQuantities(amount, limits[name]) <= 0),
      message: "must not be more than the limit of the same resource; raise resources.limits or lower resources.requests",
      field: "requests",
    },
  ],
);
