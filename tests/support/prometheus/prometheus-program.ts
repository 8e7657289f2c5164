import { join } from "node:path";
import { goProgram } from "../go-program.ts";

/**
 * Prometheus itself, or promtool, which checks and tests rules. Built once, without the service discovery of clouds: in a minute or two each,
 * the first on an empty module cache in five. Throws as `goProgram` does.
 */
export function prometheusProgram(name: "prometheus" | "promtool"): Promise<string> {
  return goProgram({
    ...{ title: name, name, cache: "prometheus" },
    sources: join(import.meta.dirname, "module"),
    package: `github.com/prometheus/prometheus/cmd/${name}`,
    tags: ["remove_all_sd"],
  });
}
