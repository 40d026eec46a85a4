/** What zod says of a wrong value, in the words of a person who wrote it. Pure. */

/** The part of a zod issue that is needed. */
interface Issue {
  readonly code?: string | undefined
  readonly message: string
  readonly origin?: string
  readonly minimum?: number | bigint
  readonly maximum?: number | bigint
}

const NOUNS: Readonly<Record<string, string>> = {
  array: 'items',
  string: 'characters',
  object: 'members',
}

/** The message of an issue. A message that a schema gives itself is kept. */
export function issueText({ message, origin = '', minimum, maximum }: Issue): string {
  const noun = NOUNS[origin]
  const limit = (words: string, count: unknown) =>
    noun === undefined ? `must be ${words} ${count}` : `must have ${words} ${count} ${noun}`
  if (message.startsWith('Too small: ') && minimum !== undefined) return limit('at least', minimum)
  if (message.startsWith('Too big: ') && maximum !== undefined) return limit('at most', maximum)
  const type = /^Invalid input: expected (\w+), received (.+)$/.exec(message)
  if (type !== null) return `must be ${withArticle(type[1] ?? '')}, not ${type[2]}`
  const options = /^Invalid option: expected one of (.+)$/.exec(message)
  if (options !== null) return `must be one of ${options[1]?.replaceAll('|', ', ')}`
  return message
}

function withArticle(type: string): string {
  const name = type === 'int' ? 'integer' : type
  return `${/^[aeio]/.test(name) ? 'an' : 'a'} ${name}`
}
