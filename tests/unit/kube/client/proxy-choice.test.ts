import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseProxy } from "../../../../src/kube/client/proxy-choice.ts";

const PROXY = "http://proxy:3128";
const choose = (server: string, environment: Record<string, string>) => chooseProxy(new URL(server), environment);

describe("the proxy that the environment names", () => {
  const CASES: [environment: Record<string, string>, server: string, proxy: string | undefined][] = [
    [{}, "https://kube.example", undefined],
    [{ HTTPS_PROXY: PROXY }, "https://kube.example", PROXY],
    [{ https_proxy: PROXY }, "https://kube.example", PROXY],
    [{ https_proxy: "http://other:1", HTTPS_PROXY: PROXY }, "https://kube.example", PROXY],
    [{ https_proxy: PROXY, HTTPS_PROXY: "" }, "https://kube.example", PROXY],
    [{ http_proxy: "http://other:1", HTTP_PROXY: PROXY }, "http://kube.example", PROXY],
    [{ HTTPS_PROXY: PROXY, NO_PROXY: "other.example", no_proxy: "kube.example" }, "https://kube.example", PROXY],
    [{ HTTPS_PROXY: PROXY, NO_PROXY: "", no_proxy: "kube.example" }, "https://kube.example", undefined],
    [{ HTTPS_PROXY: "proxy:3128" }, "https://kube.example", PROXY],
    [{ HTTPS_PROXY: "https://user:secret@proxy" }, "https://kube.example", "https://user:secret@proxy"],
    [{ HTTP_PROXY: PROXY }, "https://kube.example", undefined],
    [{ HTTP_PROXY: PROXY }, "http://kube.example", PROXY],
    [{ HTTPS_PROXY: PROXY }, "https://localhost:6443", undefined],
    [{ HTTPS_PROXY: PROXY }, "https://127.0.0.1:6443", undefined],
    [{ HTTPS_PROXY: PROXY }, "https://127.8.8.8:6443", undefined],
    [{ HTTPS_PROXY: PROXY }, "https://[::1]:6443", undefined],
  ];
  for (const [environment, server, proxy] of CASES) {
    it(`is ${proxy ?? "none"} for ${server} with ${JSON.stringify(environment)}`, () => assert.equal(choose(server, environment), proxy));
  }
});

/** As golang.org/x/net/http/httpproxy decides; each was run with it. */
const DIRECT: [noProxy: string, server: string, isDirect: boolean][] = [
  ["", "https://kube.example", false],
  ["*", "https://kube.example", true],
  ["other.example, *", "https://kube.example", true],
  ["kube.example", "https://kube.example", true],
  ["KUBE.example", "https://kube.EXAMPLE:6443", true],
  ["example", "https://kube.example", true],
  ["xample", "https://kube.example", false],
  [".kube.example", "https://kube.example", false],
  [".example", "https://kube.example", true],
  ["*.kube.example", "https://kube.example", false],
  ["*.example", "https://kube.example", true],
  ["kube.example:6443", "https://kube.example:6443", true],
  ["kube.example:6443", "https://kube.example", false],
  ["kube.example:443", "https://kube.example", true],
  ["10.0.0.0/8", "https://10.96.0.1", true],
  ["10.0.0.0/8", "https://11.96.0.1", false],
  ["10.0.0.0/8", "https://ten.example", false],
  ["10.0.0.0/99", "https://10.0.0.1", false],
  ["10.96.0.1", "https://10.96.0.1:443", true],
  ["10.96.0.1:6443", "https://10.96.0.1:443", false],
  ["10.96.0.1:443", "https://10.96.0.1", true],
  ["10.96.0", "https://10.96.0.1", false],
  ["fd00::/8", "https://[fd00::1]:6443", true],
  ["fd00::1", "https://[fd00:0::1]:6443", true],
  ["[fd00::1]:6443", "https://[fd00::1]:6443", true],
  ["[fd00::1]:443", "https://[fd00::1]:6443", false],
  [" a.example ,, kube.example ", "https://kube.example", true],
  [".svc,.cluster.local,10.0.0.0/8", "https://kubernetes.default.svc", true],
  [":443", "https://kube.example", false],
];

describe("what NO_PROXY names is reached directly", () => {
  for (const [noProxy, server, isDirect] of DIRECT) {
    it(`"${noProxy}" ${isDirect ? "names" : "does not name"} ${server}`, () => {
      for (const name of ["NO_PROXY", "no_proxy"])
        assert.equal(choose(server, { HTTPS_PROXY: PROXY, [name]: noProxy }), isDirect ? undefined : PROXY);
    });
  }
});
