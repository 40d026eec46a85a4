/** Image locations as values: one grammar for the API that takes them and for the hosts that fetch them. */

export type ImageLocation =
  /** A reference as the Docker CLI takes it, always with a tag or digest. */
  | { readonly kind: 'docker'; readonly reference: string }
  /** A root file system archive on the host that fetches it. */
  | { readonly kind: 'file'; readonly path: string }

/** Longest location, in UTF-16 code units. */
export const IMAGE_LOCATION_MAX_LENGTH = 1024
const DOCKER = 'docker://'
const FILE = 'file://'
/**
 * `[domain[:port]/]path[:tag][@digest]` as in https://pkg.go.dev/github.com/distribution/reference, a little wider (upper case):
 * the engine has the last word. The name becomes part of a path of the engine's API, so no step of it is `..`.
 */
const REFERENCE =
  /^(?<name>(?:[a-z0-9][a-z0-9.-]*(?::\d{1,5})?\/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?<tag>:\w[\w.-]{0,127})?(?<digest>@sha256:[0-9a-f]{64})?$/i
/** Absolute, without `.` and `..` segments, of the two forms that are imported. */
const ARCHIVE = /^\/(?!.*(?:^|\/)\.{1,2}(?:\/|$)).+\.(?:tar|tar\.gz|tgz)$/

/**
 * `docker://name[:tag][@digest]`, `file:///path/rootfs.tar[.gz]` or the bare path, without white space; undefined when it is none
 * of them. The bare path is for the AWS CLI, which takes a value that begins with `file://` for a file of its own to read.
 */
export function parseImageLocation(text: string): ImageLocation | undefined {
  if (text.length > IMAGE_LOCATION_MAX_LENGTH || /[\s\p{Cc}]/u.test(text)) return undefined
  if (text.startsWith(DOCKER)) return parseReference(text.slice(DOCKER.length))
  const path = text.startsWith(FILE) ? text.slice(FILE.length) : text
  return ARCHIVE.test(path) ? { kind: 'file', path } : undefined
}

function parseReference(reference: string): ImageLocation | undefined {
  const groups = REFERENCE.exec(reference)?.groups
  if (groups === undefined) return undefined
  const pinned = groups['tag'] !== undefined || groups['digest'] !== undefined
  return { kind: 'docker', reference: pinned ? reference : `${reference}:latest` }
}
