/** What the token of a build's collector is good for: this upload to this installation, and nothing else. */
export function collectorAudience(installation: string): string {
  return `turbo-hipster.io/${installation}/collect`;
}

/** Below the address of the internal port. */
export function artifactsPath(number: string): string {
  return `/builds/${number}/artifacts`;
}
