/** Which references of images a client may name, by the settings. Pure. */
import { splitReference } from '../model/image-location.ts'

/** What the settings say of `docker://`. */
export interface DockerSources {
  /**
   * Registries that may be pulled from. The engine pulls, and goes where a registry sends it: no
   * gate of ours is in between.
   */
  readonly registries: readonly string[]
  /** Names of images that are used when they are in the engine, `*` for any part. */
  readonly local: readonly string[]
}

/**
 * Whether a client may have the image of this reference that is in the engine, wherever it came
 * from.
 */
export function isLocal(reference: string, patterns: readonly string[]): boolean {
  const { registry, name } = splitReference(reference)
  const tagged = reference.slice(reference.lastIndexOf('/') + 1)
  const whole = `${name.slice(0, name.lastIndexOf('/') + 1)}${tagged}`
  const names =
    registry === 'docker.io' ? [name, whole] : [`${registry}/${name}`, `${registry}/${whole}`]
  return patterns.some((pattern) => names.some((one) => matches(pattern, one)))
}

/**
 * Parts in their order, the first at the beginning and the last at the end: no pattern takes longer
 * than the text is long.
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
