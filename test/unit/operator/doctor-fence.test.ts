/** What the doctor says of instances that other hosts start again. */
import { expect, it } from 'vitest'
import { judgeFence, membersAdvice } from '../../../src/operator/doctor-fence.ts'

const on = { enabled: true, level: 'none' } as const
const host = (name: string, fenceLevel: 'muted' | 'softdog' | null, failoverMember = true) => ({
  ...{ name, fenceLevel, failoverMember },
})
const three = [host('a', 'muted'), host('b', 'muted'), host('c', 'muted')]

it('says the level of this host, and what it means', () => {
  const found = judgeFence(on, 'a', three)
  expect(found).toMatchObject({ result: 'ok', fix: null })
  expect(found.found).toMatch(/^muted: .* the kernel drops their packets/)
})

it.each([
  ['two members', on, three.slice(0, 2), 'a third host'],
  ['one member', on, three.slice(0, 1), 'two more hosts'],
  ['no permission', on, [host('a', null), ...three.slice(1)], 'UDP port'],
  ['a level below the setting', { enabled: true, level: 'softdog' } as const, three, 'fence.level'],
  ['a member without a fence', { enabled: false, level: 'none' } as const, three, 'atoll forget a'],
])('warns of %s', (_what, settings, hosts, words) => {
  const { result, found, fix } = judgeFence(settings, 'a', hosts)
  expect(result).toBe('warn')
  expect(`${found} ${fix}`).toContain(words)
})

it('says that it is off, or that nobody answers', () => {
  const off = { enabled: false, level: 'none' } as const
  expect(judgeFence(off, 'a', null).found).toMatch(/^off/)
  expect(judgeFence(off, 'a', [host('a', null, false)]).result).toBe('ok')
  expect(judgeFence(on, 'a', null).found).toMatch(/^not known/)
})

it('says in words that two members are too few, and nothing of three', () => {
  expect(membersAdvice([])).toBeNull()
  expect(membersAdvice(three)).toBeNull()
  expect(membersAdvice(three.slice(1))).toContain('only b and c have fence.enabled')
})
