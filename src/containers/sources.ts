/** Decides by the settings which image references a client may name. Pure. */
import { splitReference } from '../model/image-location.ts'

/** The settings for `docker://`. */
export interface DockerSources {
  /**
   * Registries that may be pulled from. The engine pulls, and follows a registry's redirects; we
   * cannot filter them.
   */
  readonly registries: readonly string[]
  /** Names of images that may be used if the engine has them, with `*` for any part. */
  readonly local: readonly string[]
}

/** Whether a client may use the engine's image with this reference, wherever it came from. */
export function isLocal(reference: string, patterns: readonly string[]): boolean {
  const { registry, name } = splitReference(reference)
  const tagged = reference.slice(reference.lastIndexOf('/') + 1)
  const whole = `${name.slice(0, name.lastIndexOf('/') + 1)}${tagged}`
  const names =
    registry === 'docker.io' ? [name, whole] : [`${registry}/${name}`, `${registry}/${whole}`]
  return patterns.some((pattern) => names.some((one) => matches(pattern, one)))
}

/**
 * Matches the parts in order, the first at the beginning and the last at the end. So the time is at
 * most linear in the length of the text.
 */
function matches(pattern: string, text: string): boolean {
  const [first = '', ...parts] = pattern.split('*')
  const last = parts.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const part of parts) {
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return text.length - last.length >= at && text.endsWith(last)
}
