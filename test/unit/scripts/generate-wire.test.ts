import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { generateWire } from '../../../scripts/generate-wire.ts'

const DIRECTORY = join(import.meta.dirname, '../../../src/api/generated')

it.each(Object.entries(generateWire()))('src/api/generated/%s is up to date', (name, text) => {
  expect(readFileSync(join(DIRECTORY, name), 'utf8')).toBe(text)
})
