import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeGitFailure } from "../../../../src/core/checkout/git-failure.ts";
import type { CheckoutFault } from "../../../../src/core/checkout/problem.ts";
import type { GitSource } from "../../../../src/core/checkout/sources.ts";

const SOURCE: GitSource = {
  project: "org/p",
  url: "https://jo@h.example/org/p",
  publicUrl: "https://h.example/org/p",
  host: "h.example",
  setting: "zuul_url in zuul.conf",
};

/** What git, curl and ssh say under LC_ALL=C; lines that only look similar follow at the end. */
const SAID: [stderr: string, fault: CheckoutFault, message: RegExp][] = [
  ["fatal: couldn't find remote ref refs/zuul/x", "ref", /^refs\/zuul\/x does not exist in org\/p at h\.example$/],
  ["error: invalid path '.git/hooks/x'", "ref", /path in org\/p that git refuses/],
  ["fatal: remote error: access denied or repository not exported: /org/p", "configuration", /h\.example has no project org\/p/],
  ["fatal: repository 'http://h.example/org/p/' not found", "configuration", /has no project org\/p - check zuul_url/],
  [
    "fatal: '/org/p' does not appear to be a git repository\nfatal: Could not read from remote repository.",
    "configuration",
    /no git project/,
  ],
  ["fatal: https://h.example/org/p/info/refs not valid: is this a git repository?", "configuration", /no git project/],
  [
    "fatal: unable to access 'https://h/': CONNECT tunnel failed, response 407",
    "configuration",
    /the proxy to h\.example asks for another login/,
  ],
  ["fatal: unable to access 'https://h/': Received HTTP code 403 from proxy after CONNECT", "configuration", /the proxy to .* refuses it/],
  ["fatal: unable to access 'https://h/': CONNECT tunnel failed, response 503", "network", /CONNECT tunnel failed/],
  ["fatal: dumb http transport does not support shallow capabilities", "configuration", /leave out checkout\.depth/],
  ["fatal: Server does not support shallow clients", "configuration", /leave out checkout\.depth/],
  ["fatal: Authentication failed for 'http://h.example/org/p/'", "configuration", /asks for credentials/],
  ["fatal: could not read Username for 'http://h.example': terminal prompts disabled", "configuration", /asks for credentials/],
  [
    "zuul@h.example: Permission denied (publickey).\nfatal: Could not read from remote repository.",
    "configuration",
    /asks for credentials/,
  ],
  ["Host key verification failed.\nfatal: Could not read from remote repository.", "configuration", /host key of h\.example/],
  [
    "fatal: unable to access 'https://h.example/org/p/': server certificate verification failed. CAfile: none CRLfile: none",
    "configuration",
    /TLS certificate/,
  ],
  ["fatal: unable to access 'https://h.example/': SSL certificate problem: self-signed certificate", "configuration", /TLS certificate/],
  ["fatal: unable to access 'http://h.example/': The requested URL returned error: 301", "configuration", /redirects/],
  ["fatal: unable to access 'http://h.example/': The requested URL returned error: 403", "configuration", /refuses the checkout access/],
  [
    "error: cannot run ssh: No such file or directory\nfatal: unable to fork",
    "configuration",
    /^the checkout's image has no client for https$/,
  ],
  ["No user exists for uid 1000\nfatal: Could not read from remote repository.", "configuration", /no user for its uid/],
  ["fatal: mismatched algorithms: client sha1; server sha256", "configuration", /another hash/],
  ["fatal: unable to access 'http://h.example/': The requested URL returned error: 429", "network", /answers with HTTP status 429/],
  [
    "fatal: unable to access 'http://h.example/': The requested URL returned error: 503",
    "network",
    /^h\.example answers with HTTP status 503 for org\/p$/,
  ],
  ["fatal: unable to access 'http://h.example/': Could not resolve host: h.example", "network", /cannot resolve the host name h\.example/],
  ["fatal: unable to look up h.example (port 9418) (Name or service not known)", "network", /cannot resolve/],
  ["ssh: Could not resolve hostname h.example: Name or service not known", "network", /cannot resolve/],
  ["fatal: unable to connect to h.example:\nh.example[0: 127.0.0.1]: errno=Connection refused", "network", /refuses connections/],
  [
    "fatal: unable to access 'http://h/': Failed to connect to h port 1 after 0 ms: Couldn't connect to server",
    "network",
    /refuses connections/,
  ],
  ["ssh: connect to host h.example port 1: Connection timed out", "network", /does not answer/],
  ["error: RPC failed; curl 28 Operation too slow. Less than 100 bytes/sec transferred the last 60 seconds", "network", /does not answer/],
  ["fatal: write error: No space left on device", "network", /no space left in the workspace/],
  ["fatal: the remote end hung up unexpectedly", "network", /git failed for org\/p from h\.example - the remote end/],
  [
    "fatal: unable to access 'https://h.example/org/p/': Recv failure: Connection reset by peer",
    "network",
    /from h\.example - Recv failure/,
  ],
  ["", "network", /^git failed for org\/p from h\.example$/],
  ["remote: fatal: couldn't find remote ref x\nfatal: early EOF", "network", /- early EOF$/],
  ["remote: a\u2028Host key verification failed.\u2028\nfatal: early EOF", "network", /- early EOF$/],
  ["zuul@h.example: Permission denied (publickey).\r\nfatal: Could not read from remote repository.", "configuration", /credentials/],
  ["remote: Host key verification failed.\nfatal: early EOF", "network", /- early EOF$/],
];

for (const [stderr, fault, message] of SAID) {
  test(`${fault} is at fault for ${JSON.stringify(stderr.slice(0, 70))}`, () => {
    const problem = judgeGitFailure(stderr, SOURCE);
    assert.equal(problem.fault, fault);
    assert.match(problem.message, message);
  });
}

const ABSENT: [stderr: string, absent: string | undefined][] = [
  ["fatal: couldn't find remote ref refs/zuul/master/Z1\n", "ref"],
  ["remote: fatal: couldn't find remote ref refs/zuul/master/Z1\n", undefined],
  ["fatal: remote error: access denied or repository not exported: /org/p", "repository"],
  ["fatal: repository 'http://h.example/org/p/' not found", "repository"],
  ["fatal: mismatched algorithms: client sha1; server sha256", "hash"],
  ["fatal: unable to access 'http://h.example/': The requested URL returned error: 503", undefined],
  ["fatal: unable to access 'http://h.example/': The requested URL returned error: 403", undefined],
];
for (const [stderr, absent] of ABSENT) {
  test(`${absent ?? "nothing"} is absent after ${JSON.stringify(stderr.slice(0, 70))}`, () =>
    assert.equal(judgeGitFailure(stderr, SOURCE).absent, absent));
}
