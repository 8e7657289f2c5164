/** The chart's values, each `NAME=VALUE` as helm's --set takes it, by which pods run that image; `of` is where it stands among the values. */
export function imageValues(image: string, of = "image"): string[] {
  const [, repository, tag] = /^(.+):([^:/]+)$/.exec(image) ?? [];
  return [`${of}.repository=${repository}`, `${of}.tag=${tag}`];
}
