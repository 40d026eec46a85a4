/** Image locations as values. Pure. */
import { refused } from '../../model/errors.ts'

export type ImageLocation =
  /** A reference as the Docker CLI takes it, always with a tag or digest. */
  | { readonly kind: 'docker'; readonly reference: string }
  /** A root file system archive on this host. */
  | { readonly kind: 'file'; readonly path: string }

const LOCATION_LIMIT = 1024
/** Path segments, tag and digest as in the reference grammar (https://pkg.go.dev/github.com/distribution/reference). */
const REFERENCE =
  /^(?<name>[a-z0-9][a-z0-9.-]*(?::\d{1,5}\/)?(?:[a-z0-9._/-]*[a-z0-9])?)(?<tag>:\w[\w.-]{0,127})?(?<digest>@sha256:[0-9a-f]{64})?$/i
/** Absolute, without `.` and `..` segments, of the two forms that are imported. */
const ARCHIVE = /^\/(?!.*(?:^|\/)\.{1,2}(?:\/|$)).+\.(?:tar|tar\.gz|tgz)$/

/** `docker://name[:tag]` or `file:///path/rootfs.tar[.gz]`; refused with the reason when it is neither. */
export function parseImageLocation(text: string): ImageLocation {
  if (text.length <= LOCATION_LIMIT && !/[\s\p{Cc}]/u.test(text)) {
    if (text.startsWith('docker://')) {
      const reference = text.slice('docker://'.length)
      const match = REFERENCE.exec(reference)
      if (match !== null) {
        const pinned = match.groups?.['tag'] !== undefined || match.groups?.['digest'] !== undefined
        return { kind: 'docker', reference: pinned ? reference : `${reference}:latest` }
      }
    }
    if (text.startsWith('file://')) {
      const path = text.slice('file://'.length)
      if (ARCHIVE.test(path)) return { kind: 'file', path }
    }
  }
  throw refused(
    'InvalidParameterValue',
    `ImageLocation '${text.slice(0, LOCATION_LIMIT)}' is neither docker://name:tag nor file:///absolute/path.tar[.gz] ` +
      '(no spaces, no . or .. segments)',
  )
}
