/** Error codes: the names of errno(3), and Node's own. */
import { constants } from 'node:os'

/** The `code` of an error. Undefined when it has none. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * The same if it is the name of an errno, which only the kernel (or a program that imitates it)
 * returns.
 */
export function errnoOf(error: unknown): string | undefined {
  const code = codeOf(error)
  return code !== undefined && code in constants.errno ? code : undefined
}

/** Whether an error has one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error)
  return code !== undefined && codes.includes(code)
}
