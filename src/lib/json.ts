/** Text that may be JSON. */

/** The value, or undefined where the text is no JSON. Pure. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
