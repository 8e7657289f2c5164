import { type Layout, readLayout } from "../core/zuul/layout.ts";
import { InputError } from "../runtime/errors.ts";
import { readYamlFile } from "./yaml-file.ts";

/** Zuul's layout.yaml. Rejects with an InputError for what is none. */
export async function readLayoutFile(file: string): Promise<Layout> {
  const layout = readLayout(await readYamlFile(file));
  if (typeof layout === "string") throw new InputError(`${file}: ${layout}`);
  return layout;
}
