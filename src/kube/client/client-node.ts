/**
 * What is used of client-node, imported only by commands that talk to a cluster: in a checkout it takes half a second and 85 MB to load, all of
 * it, even by way of its config.js. The published program has no more of it than this needs.
 */
export { KubeConfig } from "@kubernetes/client-node";
