import { expect, test } from 'vitest'
import { z } from 'zod'
import { issueText } from '../../../src/lib/issue-text.ts'

test.each<[z.ZodType, unknown, string]>([
  [z.int().min(1), 0, 'must be at least 1'],
  [z.number().max(65_535), 70_000, 'must be at most 65535'],
  [z.string().max(3), 'four', 'must have at most 3 characters'],
  [z.array(z.string()).min(1), [], 'must have at least 1 items'],
  [z.number(), 'x', 'must be a number, not string'],
  [z.object({}), [], 'must be an object, not array'],
  [z.enum(['sqlite', 'mariadb']), 'mysql', 'must be one of "sqlite", "mariadb"'],
  [z.string().max(3, 'at most three'), 'four', 'at most three'],
  [z.string().refine(() => false, 'not today'), 'x', 'not today'],
])('%# is told in plain words', (schema, value, text) => {
  const [issue] = schema.safeParse(value).error?.issues ?? []
  expect(issue === undefined ? '' : issueText(issue)).toBe(text)
})
