/** Why one file of an upload can't be kept, as a clause; the upload goes on. */
export class LeftOutError extends Error {}
