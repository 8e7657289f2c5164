import { spawn } from "node:child_process";
import { once } from "node:events";
import { createGitRepository, type GitRepository, type ZuulChange } from "../../support/git/git-repository.ts";
import { makeRandom } from "../../support/random.ts";

export interface LargeRepository {
  repository: GitRepository;
  change: ZuulChange;
  commits: number;
}

/**
 * A repository as projects of some years have it: many small commits to a tree of source files whose text compresses as text does, tags, a few
 * branches, and a change on top. The same for the same size.
 */
export async function makeLargeRepository(root: string, { commits, files }: { commits: number; files: number }): Promise<LargeRepository> {
  const repository = await createGitRepository(root, "org/large");
  const random = makeRandom(11);
  const words = Array.from({ length: 4000 }, () => Math.floor(random() * 36 ** 6).toString(36));
  const word = () => words[Math.floor(random() * words.length)] ?? "";
  const text = (lines: number) => Array.from({ length: lines }, () => Array.from({ length: 8 }, word).join(" "));
  const tree = Array.from({ length: files }, () => text(60));
  const path = (index: number) => `src/part${index % 50}/file${index}.txt`;

  const child = spawn("git", ["fast-import", "--quiet", "--force"], { cwd: repository.directory, stdio: ["pipe", "ignore", "inherit"] });
  const ended = once(child, "close");
  const write = async (chunk: string) => void (child.stdin.write(chunk) || (await once(child.stdin, "drain")));
  const data = (content: string) => `data ${Buffer.byteLength(content)}\n${content}\n`;
  for (let number = 1; number <= commits; number++) {
    const changed = number === 1 ? tree.map((_, index) => index) : Array.from({ length: 4 }, () => Math.floor(random() * files));
    const stamp = `Jo Doe <jo@example.org> ${1_400_000_000 + number} +0000`;
    let stream = `commit refs/heads/master\nmark :${number}\ncommitter ${stamp}\n${data(`Commit ${number}`)}`;
    for (const index of changed) {
      const lines = tree[index] ?? [];
      if (number > 1) lines.splice(Math.floor(random() * lines.length), 3, ...text(3));
      stream += `M 100644 inline ${path(index)}\n${data(lines.join("\n"))}`;
    }
    if (number % 500 === 0)
      stream += `reset refs/heads/stable/${number}\nfrom :${number}\n\ntag v${number}\nfrom :${number}\ntagger ${stamp}\n${data("x")}`;
    await write(stream);
  }
  child.stdin.end("done\n");
  await ended;
  await repository.git(["repack", "-a", "-d", "-q", "-f", "--depth=50", "--window=10"]);
  return { repository, change: await repository.change("master", "Change", { "new.txt": "new\n" }), commits };
}
