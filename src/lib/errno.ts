/** Codes of errors: the names of errno(3), and Node's own. */
import { constants } from 'node:os'

/** The `code` of an error, whoever gave it; undefined when it has none. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The same when it is the name of an errno, which only the kernel gives (and what imitates it). */
export function errnoOf(error: unknown): string | undefined {
  const code = codeOf(error)
  return code !== undefined && code in constants.errno ? code : undefined
}

/** Whether an error has one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error)
  return code !== undefined && codes.includes(code)
}
