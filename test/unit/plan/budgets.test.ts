/** The budgets as text: a golden file for people to read, and what must hold whatever the want. */
import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import { DEFAULT_RATES } from '../../../src/model/network-rates.ts'
import type { InstanceWant } from '../../../src/model/want.ts'
import { removeBudgets } from '../../../src/plan/budgets.ts'
import { CONNECTIONS_PER_MIB } from '../../../src/plan/connection-budgets.ts'
import { numbered } from '../../kit/records.ts'
import { renderBudgets } from '../../kit/rules-text.ts'
import { testInstance, testWant } from '../../kit/testbed.ts'

const MIN_MIB = 32
const LIMITS = {
  connectionTableSize: 2048 * CONNECTIONS_PER_MIB,
  instanceMemoryMiB: 2048,
  rates: DEFAULT_RATES,
}

function sized(number: number, memoryMiB: number): InstanceWant {
  const made = testInstance(number, [1])
  return { ...made, type: { ...made.type, memoryMiB } }
}

/** Open connections that the script gives to each link. */
function shares(script: string): readonly number[] {
  return [...script.matchAll(/: goto out_(\d+)/g)].map(([, open]) => Number(open))
}

test('golden file', async () => {
  const want = testWant(sized(11, 32), sized(12, 1024))
  await expect(renderBudgets(want, LIMITS)).toMatchFileSnapshot('./golden/budgets.nft')
})

test('a share by memory, and less where the table is smaller', () => {
  const want = testWant(sized(11, 32), sized(12, 1024), sized(13, 65_536))
  expect(shares(renderBudgets(want, LIMITS))).toEqual([512, 16_384, 32_768])
  const tight = { ...LIMITS, connectionTableSize: LIMITS.connectionTableSize / 4 }
  expect(shares(renderBudgets(want, tight))).toEqual([512, 4096, 32_768])
})

test('the resolver’s capacity is shared out when there are many', () => {
  const rateAmong = (count: number) => {
    const many = Array.from({ length: count }, (_, index) => sized(index + 10, 32))
    return /set dns_(\d+)_/.exec(renderBudgets(testWant(...many), LIMITS))?.[1]
  }
  expect([1, 32, 33, 200, 2000].map(rateAmong)).toEqual(['1024', '1024', '512', '128', '128'])
})

test('all instances at their worst leave a quarter of the table to the host', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: MIN_MIB, max: 8192 }), { minLength: 1, maxLength: 200 }),
      (sizes) => {
        const instanceMemoryMiB = sizes.reduce((a, b) => a + b, 0)
        const connectionTableSize = instanceMemoryMiB * CONNECTIONS_PER_MIB
        const want = testWant(...sizes.map((size, index) => sized(index + 10, size)))
        const open = shares(
          renderBudgets(want, { ...LIMITS, connectionTableSize, instanceMemoryMiB }),
        )
        expect(open).toHaveLength(sizes.length)
        const worst = 6 * open.reduce((a, b) => a + b, 0)
        expect(worst).toBeLessThanOrEqual((connectionTableSize * 3) / 4)
      },
    ),
  )
})

test('what other hosts send out by NAT gateways here has one budget, by the size of the table', () => {
  const want = testWant(sized(11, 1024))
  const [first, ...rest] = want.shared.subnets
  if (first === undefined) throw new Error('there is no subnet')
  const to = { kind: 'nat-address', gateway: numbered('nat', 1), ip: ipv4('198.51.100.7') } as const
  const by = (via: object, connectionTableSize: number) => {
    const routes = [{ destination: cidr('0.0.0.0/0'), to: { ...to, ...via } }]
    const shared = { ...want.shared, subnets: [{ ...first, routes }, ...rest] }
    const script = renderBudgets({ ...want, shared }, { ...LIMITS, connectionTableSize })
    return /iifname "at-fabric" .*goto out_(\d+)/.exec(script)?.[1]
  }
  expect([1024, 262_144, 10_000_000].map((size) => by({}, size))).toEqual(['512', '8192', '32768'])
  expect(by({ via: ipv4('10.0.0.2') }, 262_144)).toBeUndefined()
})

const canLoad = spawnSync('unshare', ['--net', 'nft', '--version']).status === 0
test.skipIf(!canLoad)('the kernel takes it, again and again, and after it was removed', () => {
  const script = renderBudgets(testWant(sized(11, 32), sized(12, 1024)), LIMITS)
  const twice = `${script}\n${renderBudgets(testWant(), LIMITS)}\n${removeBudgets()}${script}`
  const result = spawnSync('unshare', ['--net', 'nft', '-f', '-'], { input: twice })
  expect(result.stderr.toString()).toBe('')
})
