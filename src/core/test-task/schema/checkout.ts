import * as z from "zod";
import { mapListOf, matchingString, setOf, withRules } from "./rule.ts";
import { mountPathSchema, objectNameSchema, projectNameSchema } from "./scalar.ts";

/** What is checked out before the test, and what is kept of its files. */

const gitUrlSchema = matchingString(
  "^(https?|ssh|git)://([A-Za-z0-9._-]+@)?[A-Za-z0-9.\\[\\]:_-]+(/[A-Za-z0-9._~/+@=,%-]*)?$",
  1000,
  "must be an http, https, ssh or git URL without a password, such as https://git.example.com",
);

export const branchSchema = matchingString(
  "^[A-Za-z0-9_][A-Za-z0-9._/+-]*$",
  255,
  "must be the name of a branch, such as master or stable/2024.1",
);

const credentialsSchema = z.strictObject({
  url: matchingString(
    "^(https://|ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?)([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~+@=,-]+)*/?$",
    500,
    "must be an https or ssh URL without a password, such as https://git.example.com or ssh://git@git.example.com:29418",
  ).meta({ description: "They are used for URLs below this one: same scheme, host and port, and its path." }),
  secretName: objectNameSchema.meta({
    description:
      "Secret in the TestTask's namespace. For https: username and password, or token; ca.crt; proxy. For ssh: ssh-privatekey and known_hosts.",
  }),
});

const checkoutFields = z.strictObject({
  enabled: z.boolean().meta({ description: "false switches the checkout off without removing its settings." }).default(true),
  gitUrl: gitUrlSchema
    .meta({
      description:
        "Where projects are that Zuul has prepared nothing for: Gerrit, or a mirror of it. A project's URL is this, a slash and its name.",
    })
    .exactOptional(),
  projects: setOf(projectNameSchema, { max: 100 })
    .meta({
      description:
        "Further projects to check out beside the build's own: at what the build's queue has of them, else at a branch from gitUrl.",
    })
    .exactOptional(),
  branch: branchSchema
    .meta({
      description:
        "Branch to check out instead of ZUUL_BRANCH, of all projects that have it. Of builds that name no ref, as those of a timer, else Gerrit's default branch.",
    })
    .exactOptional(),
  projectBranches: z
    .record(z.string(), branchSchema)
    .refine((branches) => Object.keys(branches).length <= 100, "must have at most 100 entries")
    .meta({
      maxProperties: 100,
      description: "Branch of single projects, by project; it wins over branch.",
    })
    .exactOptional(),
  submodules: z
    .boolean()
    .meta({
      description: "false: the test needs no submodules, they stay empty. Without it they are checked out, and those in them.",
    })
    .exactOptional(),
  credentials: mapListOf(credentialsSchema, "url", { min: 1, max: 20 })
    .meta({
      description:
        "How private servers are reached, for the checkout alone; the test never sees them. They need checkout.allowedUrls in the operator's configuration.",
    })
    .exactOptional(),
  depth: withRules(z.int().max(1_000_000), [
    { cel: "self >= 1", holds: (commits) => commits >= 1, message: "must be at least 1; for the whole history leave it out" },
  ])
    .meta({
      description:
        "Fetch only so many commits of the ref, and no other branches. More are fetched where the build's commit is none of them. Without it the whole history.",
    })
    .exactOptional(),
  filter: z
    .enum(["blob:none"])
    .meta({
      description:
        "blob:none: the whole history of commits, with the files of the checked-out one; git fetches others when the test asks for them, without credentials.",
    })
    .exactOptional(),
  cache: z
    .strictObject({
      claimName: objectNameSchema.meta({
        description: "PersistentVolumeClaim in the TestTask's namespace; for builds on several nodes one that is ReadWriteMany.",
      }),
    })
    .meta({ description: "Volume that keeps what was fetched of large repositories for later checkouts of the same URLs." })
    .exactOptional(),
  path: mountPathSchema
    .meta({ description: "The workspace: an empty volume that projects land in, and the test's HOME; /workspace by default." })
    .default("/workspace"),
});

export const checkoutSchema = withRules(checkoutFields, [
  {
    cel: "!has(self.projects) || size(self.projects) == 0 || has(self.gitUrl)",
    holds: ({ projects = [], gitUrl }) => projects.length === 0 || gitUrl !== undefined,
    message: "needs gitUrl: where the branches of these projects are, for builds without changes of them",
    field: "projects",
  },
  {
    cel: "!has(self.cache) || !(has(self.depth) || has(self.filter))",
    holds: ({ cache, depth, filter }) => cache === undefined || (depth === undefined && filter === undefined),
    message: "keeps whole histories; remove it, or depth and filter",
    field: "cache",
  },
]);

const artifactPathSchema = matchingString(
  "^[^/\\x00-\\x1f][^\\x00-\\x1f]*$",
  255,
  "must be a path below the working directory, such as results/ or *.xml; * stands for any name",
);

export const artifactsSchema = z.strictObject({
  paths: setOf(artifactPathSchema, { min: 1, max: 100 }).meta({
    description:
      "Paths below the working directory; * stands for any name, ** for any directories, a path with / at its end for a directory with all in it. What is in $TH_ARTIFACTS_DIR is kept without.",
  }),
  junit: setOf(artifactPathSchema, { min: 1, max: 100 })
    .meta({ description: "Which of the kept files are junit XML, by paths as above: their tests are counted and their failures shown." })
    .exactOptional(),
});
