/** Which chains of others the doctor names. */
import { expect, test } from 'vitest'
import { findObstacles } from '../../../src/operator/doctor-firewall.ts'

const chain = (table: string, name: string, hook: string, policy: string) => ({
  chain: { family: 'inet', table, name, hook, policy },
})
const rule = (table: string, name: string, ...expr: readonly object[]) => ({
  rule: { family: 'inet', table, chain: name, expr },
})
const chainsIn = (...nftables: readonly object[]) =>
  findObstacles({ nftables }).map((found) => found.chain)

test('a chain that drops by policy, or by its last rule', () => {
  expect(chainsIn(chain('filter', 'INPUT', 'input', 'drop'))).toEqual(['inet filter INPUT'])
  expect(
    chainsIn(
      chain('firewalld', 'filter_FORWARD', 'forward', 'accept'),
      rule('firewalld', 'filter_FORWARD', { counter: {} }, { reject: null }),
    ),
  ).toEqual(['inet firewalld filter_FORWARD'])
})

test('none that accepts, that speaks of our links, or that is ours', () => {
  const ours = { match: { left: { meta: { key: 'iifname' } }, op: '==', right: 'at-h*' } }
  expect(chainsIn(chain('filter', 'INPUT', 'input', 'accept'))).toEqual([])
  expect(
    chainsIn(
      chain('filter', 'INPUT', 'input', 'drop'),
      rule('filter', 'INPUT', ours, { accept: null }),
    ),
  ).toEqual([])
  expect(chainsIn(chain('atoll_guard', 'input', 'input', 'drop'))).toEqual([])
  expect(
    chainsIn(
      chain('filter', 'FORWARD', 'forward', 'drop'),
      rule('filter', 'DOCKER-USER', { accept: null }),
    ),
  ).toEqual([])
  expect(
    chainsIn(
      chain('filter', 'INPUT', 'input', 'drop'),
      rule('filter', 'DOCKER-USER', ours, { accept: null }),
    ),
  ).toEqual(['inet filter INPUT'])
})
