/** Base64 as clients write it, in any parameter. Pure. */

/**
 * The text in RFC 4648's standard form on one line. Undefined when it is not base64. Lines may be
 * folded, as by MIME (RFC 2045, 6.8) and `base64`. A space within a line is refused: it is a `+`
 * that was sent without percent encoding.
 */
export function parseBase64(text: string): string | undefined {
  const unfolded = text.trim().replaceAll(/[ \t]*[\r\n]\s*/g, '')
  return unfolded.length % 4 === 0 && BASE64.test(unfolded) ? unfolded : undefined
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
