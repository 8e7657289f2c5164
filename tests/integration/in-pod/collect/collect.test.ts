import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { startUploadServer } from "../../../support/artifacts/upload-server.ts";
import { type Child, startChild } from "../../../support/child-process.ts";
import { startTcpProxy } from "../../../support/proxies/tcp-proxy.ts";

const MAIN = join(import.meta.dirname, "../../../../src/main.ts");
/** As in pods: root would read what nobody may. */
const USER = 1000;

interface Tree {
  directory: string;
  artifacts: string;
  workspace: string;
}

function makeTree(context: TestContext, parent = tmpdir()): Tree {
  const directory = mkdtempSync(join(parent, "th-collect-"));
  chmodSync(directory, 0o755);
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const [artifacts, workspace] = [join(directory, "artifacts"), join(directory, "workspace")];
  mkdirSync(artifacts);
  mkdirSync(workspace);
  writeFileSync(join(directory, "token"), "uid-1\n");
  return { directory, artifacts, workspace };
}

function startCollect({ directory, artifacts, workspace }: Tree, url: string, ...flags: string[]): Promise<Child> {
  const args = [
    "collect",
    "--url",
    url,
    "--token-file",
    join(directory, "token"),
    "--directory",
    artifacts,
    "--working-directory",
    workspace,
  ];
  const user = ["--reuid", String(USER), "--clear-groups", process.execPath];
  return startChild({ command: "setpriv", args: [...user, MAIN, ...args, ...flags], env: { TH_TERMINATION_FILE: "" } });
}

async function runCollect(tree: Tree, url: string, ...flags: string[]): Promise<{ code: number | null; log: string }> {
  const child = await startCollect(tree, url, ...flags);
  const { code } = await child.exited;
  return { code, log: child.log() };
}

describe("turbo-hipster collect", () => {
  test("stores files byte for byte, and says what it leaves out", async (context) => {
    await using server = await startUploadServer();
    const tree = makeTree(context);
    const { artifacts, workspace } = tree;
    const put = (path: string, bytes: string | Buffer) => {
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, bytes);
    };
    const binary = Buffer.from(Array.from({ length: 700_000 }, (_, i) => (i * 7919) & 0xff));
    put(join(artifacts, "deep/er/binary"), binary);
    put(join(artifacts, "empty"), "");
    put(join(artifacts, "new\nline"), "n");
    put(join(artifacts, "Case"), "1");
    put(join(artifacts, "case"), "2");
    execFileSync("sh", ["-c", `printf raw > "$1/$(printf 'b\\377d')"`, "sh", artifacts]);
    put(join(workspace, "results/junit.xml"), "<testsuite/>");
    put(join(workspace, "top.xml"), "<testsuite><testcase name='t'><failure message='bad'/></testcase></testsuite>");
    put(join(workspace, "secret.txt"), "not asked for");
    put(join(workspace, "node_modules/a.xml"), "<testsuite/>");
    linkSync(join(artifacts, "deep/er/binary"), join(artifacts, "hard"));
    symlinkSync("/etc/passwd", join(artifacts, "link"));
    symlinkSync("/etc", join(artifacts, "directory-link"));
    execFileSync("mkfifo", [join(artifacts, "pipe")]);
    execFileSync("mknod", [join(artifacts, "device"), "c", "1", "5"]);
    put(join(artifacts, "unreadable"), "u");
    chmodSync(join(artifacts, "unreadable"), 0o600);
    mkdirSync(join(artifacts, "closed"), { mode: 0o700 });
    put(join(artifacts, "sparse"), "");
    truncateSync(join(artifacts, "sparse"), 2 ** 43);
    const socket = createServer().listen(join(artifacts, "socket"));
    await once(socket, "listening");
    let deep = artifacts;
    for (let i = 0; i < 40; i += 1) deep = join(deep, "d");
    put(join(deep, "bottom"), "b");

    const { code, log } = await runCollect(tree, server.url, "--path", "results/", "--path", "*.xml");
    socket.close();
    assert.equal(code, 0, log);
    const stored = Object.fromEntries([...server.sink.files].map(([path, bytes]) => [path, bytes.length]));
    const cases = [
      server.sink.files.get("Case") ?? server.sink.files.get("Case~2"),
      server.sink.files.get("case") ?? server.sink.files.get("case~2"),
    ];
    assert.deepEqual(cases.map(String), ["1", "2"]);
    for (const path of ["Case", "Case~2", "case", "case~2"]) delete stored[path];
    assert.deepEqual(stored, {
      ...{ "deep/er/binary": 700_000, hard: 700_000, empty: 0, "new%0Aline": 1, "b%FFd": 3 },
      ...{ "results/junit.xml": 12, "top.xml": 77 },
    });
    assert.deepEqual(server.sink.files.get("deep/er/binary"), binary);
    const [record] = server.records;
    assert.deepEqual(Object.fromEntries(record?.leftOut.map(({ name, why }) => [name.replace(/^(d\/)+.*/, "d"), why]) ?? []), {
      link: "a symbolic link",
      "directory-link": "a symbolic link",
      pipe: "a named pipe",
      socket: "a socket",
      device: "a device",
      unreadable: "it may not be read by the user of the pod",
      closed: "it may not be read by the user of the pod",
      sparse: "8796093022208 bytes, beyond 4294967296 in all",
      d: "deeper than 32 directories",
    });
    assert.equal(record?.leftOutCount, 9);
    assert.deepEqual(record?.junit, {
      ...{ tests: 1, failures: 1, errors: 0, skipped: 0, seconds: 0 },
      failed: [{ file: "top.xml", name: "t", kind: "failure", message: "bad" }],
      unread: [],
    });
  });

  test("sends nothing from where a link in its volume leads, not even one in place of the directory that the test ran in", async (context) => {
    await using server = await startUploadServer();
    // Another file system than that of /, as a volume is.
    const tree = makeTree(context, "/dev/shm");
    const own = join(tree.directory, "own");
    mkdirSync(join(own, "project"), { recursive: true });
    writeFileSync(join(own, "project", "token"), "s3cret");
    for (const [link, ran] of [
      ["org", "org/project"],
      ["project", "project"],
    ] as const) {
      symlinkSync(link === "org" ? own : join(own, "project"), join(tree.workspace, link));
      const { code, log } = await runCollect({ ...tree, workspace: join(tree.workspace, ran) }, server.url, "--path", "**");
      assert.equal(code, 0, log);
      assert.deepEqual([...server.sink.files.keys()], []);
      assert.equal(server.records.at(-1)?.leftOutCount, 1);
    }
    // Those of the image are its own.
    const other = makeTree(context);
    mkdirSync(join(other.directory, "volume"));
    writeFileSync(join(other.directory, "volume", "kept"), "x");
    symlinkSync(join(other.directory, "volume"), join(other.directory, "link"));
    const { code, log } = await runCollect({ ...other, workspace: join(other.directory, "link") }, server.url, "--path", "**");
    assert.equal(code, 0, log);
    assert.deepEqual([...server.sink.files.keys()], ["kept"]);
  });

  test("sends again what an operator that went away has not stored, and nothing is stored twice", async (context) => {
    let isFailing = true;
    await using server = await startUploadServer();
    server.sink.beforePut = async (path) => {
      if (path !== "b" || !isFailing) return;
      isFailing = false;
      throw new Error("the store is away");
    };
    const tree = makeTree(context);
    for (const name of ["a", "b", "c"]) writeFileSync(join(tree.artifacts, name), name.repeat(300_000));
    const { code, log } = await runCollect(tree, server.url);
    assert.equal(code, 0, log);
    // Its answer may be lost where it closes the connection while more is on its way.
    assert.match(log, /not stored: (the operator answered 503|no answer from)/);
    assert.deepEqual(
      [...server.sink.files.keys()].toSorted((a, b) => a.localeCompare(b)),
      ["a", "b", "c"],
    );
    assert.equal(server.records.length, 1);
  });

  test("outlives connections that are cut half-way", async (context) => {
    await using server = await startUploadServer();
    await using proxy = await startTcpProxy({ port: server.port });
    const tree = makeTree(context);
    writeFileSync(join(tree.artifacts, "large"), Buffer.alloc(8 * 2 ** 20, "x"));
    let cuts = 0;
    server.sink.beforePut = async () => {
      cuts += 1;
      if (cuts <= 3) proxy.cut();
    };
    const { code, log } = await runCollect(tree, server.url.replace(`127.0.0.1:${server.port}`, proxy.address));
    assert.equal(code, 0, log);
    assert.equal(cuts, 4);
    assert.equal(server.records.length, 1);
    assert.equal(server.sink.files.get("large")?.length, 8 * 2 ** 20);
  });

  test("gives up at once where its token is another pod's, and after its time where there is nobody", async (context) => {
    await using server = await startUploadServer();
    const tree = makeTree(context);
    writeFileSync(join(tree.directory, "token"), "uid-2");
    const refused = await runCollect(tree, server.url);
    assert.equal(refused.code, 1);
    assert.match(refused.log, /artifacts not stored - the operator answered 403: the token is another pod's/);
    const nobody = await runCollect(tree, "http://127.0.0.1:1/builds/build-1/artifacts", "--timeout", "1s");
    assert.equal(nobody.code, 1);
    assert.match(nobody.log, /no answer from 127.0.0.1:1.*ECONNREFUSED/);
    assert.equal(server.sink.files.size, 0);
  });
});
