import * as z from "zod";
import { withRules } from "./rule.ts";

/** The one security context for everything that runs in a build's pod by the short fields: fields of PodSecurityContext and SecurityContext. */

const idSchema = z.int().min(0).max(2_147_483_647);
const capabilityListSchema = z.array(z.string().min(1).max(63)).max(50).meta({ "x-kubernetes-list-type": "atomic" });

export const securityContextSchema = withRules(
  z.strictObject({
    runAsUser: idSchema.meta({ description: "User of all containers instead of 1000; 0 is root.", format: "int64" }).exactOptional(),
    runAsGroup: idSchema.meta({ description: "Group of all containers instead of 1000.", format: "int64" }).exactOptional(),
    runAsNonRoot: z.boolean().meta({ description: "Whether root is refused; true without it, unless runAsUser is 0." }).exactOptional(),
    fsGroup: idSchema.meta({ description: "Group that volumes belong to instead of 1000.", format: "int64" }).exactOptional(),
    fsGroupChangePolicy: z
      .enum(["Always", "OnRootMismatch"])
      .meta({ description: "When the group of a volume's files is set." })
      .exactOptional(),
    supplementalGroups: z
      .array(idSchema)
      .max(50)
      .meta({ description: "Further groups of all containers.", "x-kubernetes-list-type": "atomic" })
      .exactOptional(),
    seccompProfile: withRules(
      z.strictObject({
        type: z.enum(["RuntimeDefault", "Unconfined", "Localhost"]).meta({ description: "Which profile." }),
        localhostProfile: z
          .string()
          .max(255)
          .meta({ description: "File of the profile on the node, with type Localhost." })
          .exactOptional(),
      }),
      [
        {
          cel: "has(self.localhostProfile) == (self.type == 'Localhost')",
          holds: ({ type, localhostProfile }) => (localhostProfile !== undefined) === (type === "Localhost"),
          message: "goes with type: Localhost, and only with it",
          field: "localhostProfile",
        },
      ],
    )
      .meta({ description: "System calls that are allowed; RuntimeDefault without it." })
      .exactOptional(),
    allowPrivilegeEscalation: z.boolean().meta({ description: "true: setuid programs such as sudo work." }).exactOptional(),
    privileged: z.boolean().meta({ description: "true: as root on the node." }).exactOptional(),
    capabilities: z
      .strictObject({
        add: capabilityListSchema.meta({ description: "Capabilities to add, such as SYS_PTRACE." }).exactOptional(),
        drop: capabilityListSchema.meta({ description: "Capabilities to drop; nothing when only add is given." }).exactOptional(),
      })
      .meta({ description: "Linux capabilities, instead of none at all." })
      .exactOptional(),
    readOnlyRootFilesystem: z.boolean().meta({ description: "true: only volumes can be written to." }).exactOptional(),
  }),
  [
    {
      cel: "!has(self.runAsUser) || self.runAsUser != 0 || !has(self.runAsNonRoot) || !self.runAsNonRoot",
      holds: ({ runAsUser, runAsNonRoot }) => runAsUser !== 0 || runAsNonRoot !== true,
      message: "must not be true with runAsUser: 0, which is root",
      field: "runAsNonRoot",
    },
  ],
);

export type TestTaskSecurityContext = z.output<typeof securityContextSchema>;
