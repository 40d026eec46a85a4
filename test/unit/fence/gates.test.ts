import { expect, it } from 'vitest'
import { createGates } from '../../../src/fence/gates.ts'
import type { PermissionGate } from '../../../src/host/nftables/permission-gate.ts'
import { GUARDED } from '../../kit/fence-cluster.ts'

/** Gates that note what they are told. */
function gateSet() {
  const told = new Map<number | null, string[]>()
  const trouble: string[] = []
  let refusal: Error | null = null
  const open = (network: number | null): PermissionGate => {
    const words: string[] = []
    told.set(network, words)
    return {
      ensure: async () => undefined,
      arm: (serial) => words.push(`arm ${serial}`),
      promote: (serial) => words.push(`promote ${serial}`),
      shut: () => words.push('shut'),
      guard: ({ links }) => {
        if (refusal !== null) throw refusal
        words.push(`guard ${links.join(' ')}`)
      },
      close: () => words.push('close'),
    }
  }
  return {
    gates: createGates({ open, trouble: (what) => trouble.push(what) }),
    said: (network: number | null) => told.get(network),
    trouble,
    refuse: (error: Error | null) => {
      refusal = error
    },
  }
}

const inVpc = { ...GUARDED, links: [{ name: 'at-1', network: 7 }] }

it('lets the links of a VPC go when nothing there is guarded any more', async () => {
  const { gates, said } = gateSet()
  await gates.guard([inVpc])
  await gates.guard([])
  expect(said(7)).toEqual(['guard at-1', 'guard ', 'close'])
  expect(said(null)).toEqual(['guard ', 'guard '])
  gates.arm(1, 1_000)
  expect(said(7)).toHaveLength(3)
})

it('forgets a namespace that is gone', async () => {
  const { gates, said, trouble, refuse } = gateSet()
  await gates.guard([inVpc])
  const inOwn = { ...GUARDED, links: [{ name: 'at-2', network: null }] }
  refuse(Object.assign(new Error('no table'), { code: 'ENOENT' }))
  await gates.guard([inOwn]).catch(() => undefined)
  refuse(null)
  await gates.guard([inOwn])
  expect(said(7)?.at(-1)).toBe('close')
  expect(trouble).toEqual([])
})
