import { join } from "node:path";
import { goProgram } from "../go-program.ts";

/**
 * What experts check charts with: kubeconform compares objects with schemas, helm-unittest runs tests written in YAML. Built once, on an empty
 * cache in two or three minutes together. Throws as `goProgram` does.
 */
export function chartProgram(name: "kubeconform" | "helm-unittest"): Promise<string> {
  const packages = {
    kubeconform: "github.com/yannh/kubeconform/cmd/kubeconform",
    "helm-unittest": "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
  };
  return goProgram({
    ...{ title: name, name, cache: "chart-programs" },
    sources: join(import.meta.dirname, "module"),
    package: packages[name],
  });
}
