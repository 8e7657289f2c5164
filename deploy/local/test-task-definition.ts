import { join } from "node:path";
import { waitUntil } from "../../tools/machine/wait-until.ts";

const FILE = join(import.meta.dirname, "../../crds/testtasks.turbo-hipster.io.yaml");
const NAME = "testtasks.turbo-hipster.io";
const LIMIT_MS = 60_000;

/**
 * Applies the CustomResourceDefinition and returns when the API server serves it. `kubectl wait --for=condition=Established` would do,
 * but it fails at once where the definition is so new that it has no conditions yet.
 */
export async function applyTestTaskDefinition(kubectl: (...args: string[]) => Promise<string>): Promise<void> {
  await kubectl("apply", "--filename", FILE);
  await waitUntil("the API server to serve TestTasks", LIMIT_MS, async () => {
    const { status } = JSON.parse(await kubectl("get", "customresourcedefinition", NAME, "--output", "json"));
    return (status?.conditions ?? []).some(
      (each: { type: string; status: string }) => each.type === "Established" && each.status === "True",
    );
  });
}
