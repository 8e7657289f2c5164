import { join } from "node:path";
import { goProgram } from "../go-program.ts";

/** Kube-router itself, unchanged, of which tests use what enforces NetworkPolicies. Built once, in some six minutes. Throws as `goProgram` does. */
export function kubeRouterProgram(): Promise<string> {
  return goProgram({
    ...{ title: "kube-router, which enforces NetworkPolicies", name: "kube-router" },
    sources: join(import.meta.dirname, "module"),
    package: "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
  });
}
