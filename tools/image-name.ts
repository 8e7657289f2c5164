import { InputError } from "../src/runtime/errors.ts";

/** The full name of an image, as docker and the kubelet read a short one. Throws InputError for what is no name with a tag. */
export function qualifyImageName(name: string): string {
  if (!/^[a-z0-9][a-z0-9._/:-]*:[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name)) {
    throw new InputError(`"${name}" is no image name with a tag, such as turbo-hipster:dev`);
  }
  const [first, ...others] = name.split("/") as [string, ...string[]];
  if (others.length === 0) return `docker.io/library/${name}`;
  return /[.:]/.test(first) || first === "localhost" ? name : `docker.io/${name}`;
}
