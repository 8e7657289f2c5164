import { escapeExpansion } from "../../../src/core/zuul/parameters.ts";
import type { MergedChange } from "../zuul-request.ts";

/** What a bare Job does beside its test, without this program. */
export interface HandSteps {
  image: string;
  /** The test, for `sh -e`. */
  script: string;
  /** An init container fetches and checks out what a build of this change does. */
  change?: MergedChange | undefined;
  /** What lies in `$TH_ARTIFACTS_DIR` when the test has ended is sent there, as a tar in the body of a PUT. */
  upload?: { url: string; by: "sidecar" | "test" } | undefined;
}

const WORKSPACE = { name: "workspace", mountPath: "/workspace" };
const ARTIFACTS = { name: "artifacts", mountPath: "/artifacts" };

/** The build's ref with its history, and the branches as `origin/*`. */
const CHECKOUT = `git init -q "$2" && cd "$2"
git fetch -q --no-write-fetch-head "$1/$2" "+$3:refs/heads/zuul" "+refs/heads/*:refs/remotes/origin/*"
git checkout -q --detach "$4"`;

/** There is no curl in the image; perl comes with git. */
const PUT = `use strict; use HTTP::Tiny;
my ($url, $directory) = @ARGV;
open my $tar, "-|", "tar", "-C", $directory, "-c", "." or die "tar: $!\\n";
my $answer = HTTP::Tiny->new->put($url, {content => sub { my $bytes; read($tar, $bytes, 65536) ? $bytes : undef }});
$answer->{success} or die "$answer->{status} $answer->{reason}: $answer->{content}\\n";`;

const SEND = `perl -e "$PUT" "$URL" ${ARTIFACTS.mountPath}`;

/** As a native sidecar it gets TERM when the test has ended. */
const SEND_AT_THE_END = `trap '${SEND}; exit' TERM
while :; do sleep 3600 & wait $!; done`;

/** As little as such a Job can be, in as few containers; `script` and environment of the test are those of the build. */
export function renderHandJob(name: string, { image, script, change, upload }: HandSteps): object {
  const container = { image, imagePullPolicy: "IfNotPresent" };
  const sending = upload === undefined ? [] : [...env("URL", `${upload.url}/${name}`), ...env("PUT", PUT)];
  const initContainers = [
    ...(change === undefined ? [] : [{ ...container, ...renderCheckout(change), volumeMounts: [WORKSPACE] }]),
    ...(upload?.by === "sidecar"
      ? [
          {
            ...{ ...container, name: "upload", restartPolicy: "Always", command: ["sh", "-c", SEND_AT_THE_END] },
            ...{ env: sending, volumeMounts: [ARTIFACTS] },
          },
        ]
      : []),
  ];
  const isSentByTest = upload?.by === "test";
  const test = {
    ...{ ...container, name: "test", command: ["sh", "-e", "-c", isSentByTest ? `${script}\n${SEND}` : script] },
    env: [...env("TH_ARTIFACTS_DIR", ARTIFACTS.mountPath), ...(isSentByTest ? sending : [])],
    workingDir: change === undefined ? WORKSPACE.mountPath : `${WORKSPACE.mountPath}/${change.project}`,
    volumeMounts: [WORKSPACE, ARTIFACTS],
  };
  const spec = {
    ...{ restartPolicy: "Never", automountServiceAccountToken: false, enableServiceLinks: false, initContainers, containers: [test] },
    volumes: [WORKSPACE, ARTIFACTS].map(({ name: volume }) => ({ name: volume, emptyDir: {} })),
  };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { backoffLimit: 0, template: { spec } } };
}

function renderCheckout({ zuulUrl, project, ref, commit }: MergedChange): object {
  return {
    name: "checkout",
    command: ["sh", "-e", "-c", CHECKOUT, "checkout", zuulUrl, project, ref, commit],
    env: env("HOME", WORKSPACE.mountPath),
    workingDir: WORKSPACE.mountPath,
  };
}

function env(name: string, value: string): { name: string; value: string }[] {
  return [{ name, value: escapeExpansion(value) }];
}
