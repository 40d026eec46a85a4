/** Parses text that may be JSON. */

/** The value. Undefined when the text is not JSON. Pure. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
