import { readFileSync } from "node:fs";
import { LineCounter, parseDocument } from "yaml";
import * as z from "zod";
import { durationText } from "./core/kubernetes/duration-text.ts";
import { logsSchema } from "./core/logs/store-config.ts";
import { knownFields } from "./core/test-task/problem.ts";
import { resourcesSchema } from "./core/test-task/schema/pod.ts";
import { InputError } from "./runtime/errors.ts";
import { LOG_LEVELS } from "./runtime/logger.ts";
import { VERSION } from "./version.ts";

const DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names */
export const dnsLabel = z
  .string()
  .max(63)
  .regex(new RegExp(`^${DNS_LABEL}$`), "must be lower-case letters, digits and dashes, as Kubernetes' names are");

/** In `namespaces`: all that there are, and those to come. */
const EVERY_NAMESPACE = "*";

const servedNamespace = z
  .string()
  .max(63)
  .regex(
    new RegExp(`^(\\*|${DNS_LABEL})$`),
    'must be lower-case letters, digits and dashes, as Kubernetes\' names are, or "*", which is every namespace',
  );

const HOST = String.raw`(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)`;
/** Said in a pattern, so that schemas made of it know it, too. */
const PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

const address = z
  .string()
  .regex(new RegExp(`^${HOST}(:${PORT})?$`), "must be HOST or HOST:PORT with a port from 1 to 65535, for example gearman.example.org:4730");

const listen = z
  .string()
  .regex(
    new RegExp(`^${HOST}:(0|${PORT})$`),
    "must be ADDRESS:PORT to listen on, for example 0.0.0.0:8081, with a port up to 65535; port 0 takes any free one",
  );

const httpUrl = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });

const configFields = z.strictObject({
  installation: dnsLabel
    .max(40)
    .default("turbo-hipster")
    .describe("name of this installation; on every object it makes, and in the manager name that Zuul sends stop: to"),
  namespaces: z
    .array(servedNamespace)
    .min(1)
    .refine(
      (names) => names.length === 1 || !names.includes(EVERY_NAMESPACE),
      'has "*", which is every namespace, beside others: leave "*" or the others out',
    )
    .default(["default"])
    .describe('namespaces whose TestTasks are served; ["*"]: every namespace of the cluster, those to come as well'),
  ownNamespace: dnsLabel
    .optional()
    .describe('namespace of the Leases and of the kept names of jobs (default: the first of `namespaces`; with ["*"] it is needed)'),
  gearman: z.strictObject({
    servers: z
      .array(address)
      .min(1, "needs at least one server, HOST or HOST:PORT")
      .transform((servers) => servers.map((server) => (/:\d+$/.test(server) ? server : `${server}:4730`)))
      .refine((servers) => new Set(servers).size === servers.length, "names a server twice")
      .describe("Gearman servers to take builds from; the default port is 4730"),
    clientGoneAfter: durationText
      .default("60s")
      .describe("how long nobody may wait for a build at its server before it is ended; Zuul's reconnect and relaunch must fit in"),
  }),
  image: z.string().min(1).default(`turbo-hipster:${VERSION}`).describe("image that holds this program, for the checkout container"),
  maxBuilds: z.int().min(1).max(10_000).default(100).describe("builds at once in the whole installation"),
  maxPending: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe(
      "builds at once that wait for room in the cluster; at this number no more are taken, and of one task no more than half of what is free (default: as many as maxBuilds)",
    ),
  results: z
    .enum(["text", "utf-8", "token"])
    .default("text")
    .describe(
      "text: reviewers see sentences, in ASCII; utf-8: in letters of every script (Zuul 2.6 cannot mail those); token: one word of ours for each",
    ),
  checkout: z
    .strictObject({
      allowedUrls: z
        .array(z.string().min(1))
        .default([])
        .describe("URL prefixes that builds may be checked out from; none given: any http, https, git or ssh URL, and no credentials"),
      resources: resourcesSchema.optional().describe("requests and limits of the checkout container (default: those of the test)"),
    })
    .prefault({}),
  podUser: z
    .enum(["fixed", "cluster"])
    .default("fixed")
    .describe("who chooses user and groups of builds' pods where a task does not: fixed (1000), or the cluster, as OpenShift does"),
  keepJobs: durationText
    .default("24h")
    .describe("how long a finished build's Job is kept after its result was delivered, and where no store is, its log"),
  maxKeptJobs: z
    .int()
    .min(1)
    .max(100_000)
    .default(5000)
    .describe("finished builds' Jobs that are kept at most: above it, the oldest are deleted before their time"),
  drain: durationText
    .default("1h")
    .describe(
      "how long, after SIGTERM, builds under way may go on before they are left to the next replica; they end sooner by themselves",
    ),
  publicUrl: httpUrl
    .optional()
    .describe("address under which people reach the public pages; default: this host's name and the public port"),
  internalUrl: httpUrl
    .optional()
    .describe("address under which builds' pods reach the internal port, for artifacts; default: this host's name and that port"),
  http: z
    .strictObject({
      public: listen.default("0.0.0.0:8080").describe("pages for people, read-only"),
      internal: listen.default("0.0.0.0:8081").describe("/healthz, /readyz and /metrics"),
    })
    .prefault({}),
  logs: logsSchema.prefault({}).describe("where the logs of builds are kept"),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default("info").describe("how much is logged") }).prefault({}),
});

/** The configuration file; the chart's values.schema.json is made of it as well. */
export const configSchema = configFields.superRefine(({ namespaces, ownNamespace }, context) => {
  if (!namespaces.includes(EVERY_NAMESPACE) || ownNamespace !== undefined) return;
  const message = 'is missing; with namespaces ["*"] the Leases need a namespace that is named, as a rule that of the operator\'s pods';
  context.addIssue({ code: "custom", path: ["ownNamespace"], message });
});

export type Config = z.infer<typeof configSchema>;

/** Where an installation looks, and where it keeps what is its own. */
export interface ServedPlaces {
  /** undefined: every namespace. */
  readonly namespaces: readonly string[] | undefined;
  /** Of the Leases and the names of functions. */
  readonly own: string;
}

export function servedPlaces({ namespaces, ownNamespace }: Pick<Config, "namespaces" | "ownNamespace">): ServedPlaces {
  return {
    namespaces: namespaces.includes(EVERY_NAMESPACE) ? undefined : namespaces,
    own: ownNamespace ?? namespaces[0] ?? "default",
  };
}

/**
 * Reads the operator's configuration: one YAML file.
 * @throws InputError naming the file and, for each problem, the field's path and the remedy.
 */
export function loadConfig(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InputError(
      `cannot read the configuration ${path}: ${(error as NodeJS.ErrnoException).code ?? error}. Name a readable file with --config.`,
      { cause: error },
    );
  }
  return parseConfig(text, path);
}

/** The same for text that came from `source`. */
export function parseConfig(text: string, source: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [broken] = document.errors;
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0]);
    throw new InputError(`${source}:${line}:${col}: not YAML: ${broken.message}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new InputError(`${source}: ${(error as Error).message}`, { cause: error });
  }
  const parsed = configSchema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => describeIssue(issue));
  throw new InputError(`${source} is no valid configuration:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.map(String).join(".") || "(whole file)";
  if (issue.code === "unrecognized_keys") {
    const known = knownFields(configSchema, issue.path.map(String));
    return issue.keys.map((key) => `${[...issue.path, key].map(String).join(".")}: unknown field; known here: ${known.join(", ")}`);
  }
  if (issue.code === "invalid_type" && issue.input === undefined)
    return [`${path}: is missing or has the wrong type; expected ${issue.expected}`];
  return [`${path}: ${issue.message}`];
}
