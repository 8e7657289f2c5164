import { z } from "zod";
import { matchingString, setOf, withRules } from "./rule.ts";
import { mountPathSchema, projectNameSchema } from "./scalar.ts";

/** What is checked out before the test, and what is kept of its files. */

const gitUrlSchema = matchingString(
  "^(https?|ssh|git)://([A-Za-z0-9._-]+@)?[A-Za-z0-9.\\[\\]:_-]+(/[A-Za-z0-9._~/+@=,%-]*)?$",
  1000,
  "must be an http, https, ssh or git URL without a password, such as https://git.example.com",
);

const branchSchema = matchingString(
  "^[A-Za-z0-9_][A-Za-z0-9._/+-]*$",
  255,
  "must be the name of a branch, such as master or stable/2024.1",
);

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
  path: mountPathSchema
    .meta({ description: "The workspace: an empty volume that projects land in, and the test's HOME." })
    .default("/workspace"),
});

export const checkoutSchema = withRules(checkoutFields, [
  {
    cel: "!has(self.projects) || size(self.projects) == 0 || has(self.gitUrl)",
    holds: ({ projects = [], gitUrl }) => projects.length === 0 || gitUrl !== undefined,
    message: "needs gitUrl: where the branches of these projects are, for builds without changes of them",
    field: "projects",
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
