/** What the docs have from the code is what the code has. */
import { expect, it } from 'vitest'
import { generatedPages, readPage, withPart } from '../../../scripts/generate-docs.ts'

const BEGIN = '<!-- settings: written by scripts/generate-docs.ts -->'
const END = '<!-- end of settings -->'

it.each([...generatedPages()])('%s has what the code has', (name, text) => {
  expect(readPage(name), 'run: node scripts/generate-docs.ts').toBe(text)
})

it('the pages have every setting and every action', () => {
  const pages = generatedPages()
  expect(pages.get('configuration.md')).toMatch(/^\| `store\.kind` \|/m)
  expect(pages.get('api.md')).toMatch(/\bRunInstances\b/)
})

it('replaces what is between the marks, and leaves the rest as it is', () => {
  const written = withPart(`before\n${BEGIN}\nold\n${END}\nafter\n`, 'settings', 'new')
  expect(written).toBe(`before\n${BEGIN}\nnew\n${END}\nafter\n`)
})

it.each([
  ['no marks', 'a page\n'],
  ['the end before the beginning', `${END}\n${BEGIN}\n`],
])('refuses a page with %s', (_, page) => {
  expect(() => withPart(page, 'settings', 'new')).toThrow(/no place/)
})
