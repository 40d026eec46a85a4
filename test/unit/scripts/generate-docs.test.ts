/** The README says of settings and actions what the code says. */
import { expect, test } from 'vitest'
import { readReadme, withReference } from '../../../scripts/generate-docs.ts'

const BEGIN = '<!-- settings: written by scripts/generate-docs.ts -->'
const END = '<!-- end of settings -->'
const ACTIONS = '<!-- actions: written by scripts/generate-docs.ts -->\n<!-- end of actions -->'

test('the README is up to date: run node scripts/generate-docs.ts', () => {
  const readme = readReadme()
  expect(readme).toBe(withReference(readme))
})

test('the table stands between the marks, and all else stays', () => {
  const written = withReference(`before\n${BEGIN}\nold\n${END}\n${ACTIONS}\nafter\n`)
  expect(written).toMatch(/^before\n/)
  expect(written).toMatch(/\nafter\n$/)
  expect(written).not.toContain('old')
  expect(written).toContain(
    '| `api.port` | `8773` | TCP port of the EC2 API: HTTPS, and plain HTTP for clients on this host only |',
  )
  expect(written).toContain('RunInstances')
  expect(withReference(written)).toBe(written)
})

test.each([
  ['nothing', ''],
  ['no actions', `${BEGIN}${END}`],
  ['no end', BEGIN],
  ['the end first', `${END}\n${BEGIN}`],
])('a README with %s is refused', (_what, readme) => {
  expect(() => withReference(readme)).toThrow(/no place/)
})
