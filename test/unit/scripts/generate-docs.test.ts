/** The README says of the settings what the schema says. */
import { expect, test } from 'vitest'
import { readReadme, withSettings } from '../../../scripts/generate-docs.ts'

const BEGIN = '<!-- settings: written by scripts/generate-docs.ts -->'
const END = '<!-- end of settings -->'

test('the README is up to date: run node scripts/generate-docs.ts', () => {
  const readme = readReadme()
  expect(readme).toBe(withSettings(readme))
})

test('the table stands between the marks, and all else stays', () => {
  const written = withSettings(`before\n${BEGIN}\nold\n${END}\nafter\n`)
  expect(written).toMatch(/^before\n/)
  expect(written).toMatch(/\nafter\n$/)
  expect(written).not.toContain('old')
  expect(written).toContain(
    '| `api.port` | `8773` | TCP port of the EC2 API: HTTPS, and plain HTTP for clients on this host only |',
  )
  expect(withSettings(written)).toBe(written)
})

test.each([
  ['nothing', ''],
  ['no end', BEGIN],
  ['the end first', `${END}\n${BEGIN}`],
])('a README with %s is refused', (_what, readme) => {
  expect(() => withSettings(readme)).toThrow(/no place/)
})
