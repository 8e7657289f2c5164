import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

/** Content by path; null deletes. */
export type GitFiles = Readonly<Record<string, string | { content: string; mode: "100755" | "120000" } | null>>;

/** A change as Zuul's merger leaves it in the repository: what a build's parameters name. */
export interface ZuulChange {
  project: string;
  branch: string;
  /** `refs/zuul/<branch>/Z<32 hex>`. */
  ref: string;
  commit: string;
}

/** A real bare repository that plays both Gerrit's and the merger's. Commits are reproducible: same steps, same ids. */
export interface GitRepository {
  readonly project: string;
  /** `<root>/<project>`: serve `root`, and the project has its name as path. */
  readonly directory: string;
  /** Adds a commit to `branch` (made when missing) and returns its id. */
  commit(branch: string, message: string, files: GitFiles): Promise<string>;
  /** Makes a change on the tip of `branch`, merges it there and stores the merge under a ref of its own, as Zuul's merger does. */
  change(branch: string, message: string, files: GitFiles): Promise<ZuulChange>;
  /** Returns the id of the tag object for an annotated tag (one with a message), else of the commit. */
  tag(name: string, commit: string, message?: string): Promise<string>;
  /** Runs git in the repository and returns its trimmed standard output; rejects with its standard error. */
  git(args: readonly string[], input?: string, environment?: Readonly<Record<string, string>>): Promise<string>;
}

const IDENTITY = {
  GIT_AUTHOR_NAME: "Jo Doe",
  GIT_AUTHOR_EMAIL: "jo@example.org",
  GIT_COMMITTER_NAME: "Zuul",
  GIT_COMMITTER_EMAIL: "zuul@example.org",
};

/** Makes `<root>/<project>`, empty but for its default branch `master`, which has no commit yet. */
export async function createGitRepository(
  root: string,
  project: string,
  options: { objectFormat?: "sha1" | "sha256" } = {},
): Promise<GitRepository> {
  const directory = join(root, project);
  await mkdir(directory, { recursive: true });
  let time = 1_400_000_000; // each commit a second after the one before
  let changes = 0;

  const git: GitRepository["git"] = (args, input, environment) =>
    runInRepository(directory, args, input, { GIT_AUTHOR_DATE: `${time} +0000`, GIT_COMMITTER_DATE: `${time} +0000`, ...environment });

  /** `git fast-import` needs no work tree and takes a commit in one process. Returns the new tip of `ref`. */
  async function addCommit(ref: string, message: string, files: GitFiles, parents: readonly string[]): Promise<string> {
    time += 1;
    const stream = [`commit ${ref}`, `committer Zuul <zuul@example.org> ${time} +0000`, ...data(message)];
    const [from, merge] = parents;
    if (from !== undefined) stream.push(`from ${from}`);
    if (merge !== undefined) stream.push(`merge ${merge}`);
    for (const [path, file] of Object.entries(files)) {
      if (file === null) stream.push(`D ${path}`);
      else if (typeof file === "string") stream.push(`M 100644 inline ${path}`, ...data(file));
      else stream.push(`M ${file.mode} inline ${path}`, ...data(file.content));
    }
    await git(["fast-import", "--quiet", "--force"], `${stream.join("\n")}\ndone\n`);
    return git(["rev-parse", "--verify", ref]);
  }
  const tip = async (ref: string) => git(["rev-parse", "--verify", "--quiet", ref]).catch(() => undefined);

  await git(["init", "--quiet", "--bare", "--initial-branch=master", `--object-format=${options.objectFormat ?? "sha1"}`]);
  return {
    project,
    directory,
    git,
    async commit(branch, message, files) {
      const parent = await tip(`refs/heads/${branch}`);
      return addCommit(`refs/heads/${branch}`, message, files, parent === undefined ? [] : [parent]);
    },
    async change(branch, message, files) {
      const base = await tip(`refs/heads/${branch}`);
      if (base === undefined) throw new Error(`${project} has no branch ${branch} to make a change on`);
      changes += 1;
      const number = String(changes).padStart(2, "0");
      const proposed = await addCommit(`refs/changes/${number}/${changes}/1`, message, files, [base]);
      const ref = `refs/zuul/${branch}/Z${changes.toString(16).padStart(32, "0")}`;
      const commit = await addCommit(ref, `Merge change ${changes},1 into ${branch}`, files, [base, proposed]);
      return { project, branch, ref, commit };
    },
    async tag(name, commit, message) {
      time += 1;
      await git(message === undefined ? ["tag", name, commit] : ["tag", "--annotate", "--message", message, name, commit]);
      return git(["rev-parse", "--verify", `refs/tags/${name}`]);
    },
  };
}

function data(text: string): string[] {
  return [`data ${Buffer.byteLength(text)}`, text];
}

function runInRepository(
  directory: string,
  args: readonly string[],
  input: string | undefined,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("git", args, {
      cwd: directory,
      env: {
        PATH: process.env.PATH,
        LC_ALL: "C",
        HOME: directory,
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_NOSYSTEM: "1",
        ...IDENTITY,
        ...environment,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve(stdout.trim()) : reject(new Error(`git ${args[0]} ended with ${code}: ${stderr}`))));
    child.stdin.on("error", () => {}); // EPIPE: it ended early; its exit code tells
    child.stdin.end(input ?? "");
  });
}
