import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { generateFilters } from '../../../scripts/generate-filters.ts'

it('src/api/generated/filters.ts is up to date', () => {
  const file = join(import.meta.dirname, '../../../src/api/generated/filters.ts')
  expect(readFileSync(file, 'utf8')).toBe(generateFilters())
})
