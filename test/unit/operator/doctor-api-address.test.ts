import { expect, it } from 'vitest'
import { judgeSharedAddress } from '../../../src/operator/doctor-api-address.ts'

const config = 'script "/bin/sh atoll check --api --port 8773"\n    10.0.0.100/32 dev eth0\n'
const well = {
  address: '10.0.0.100',
  port: 8773,
  answer: 'host',
  keepalived: { config, state: 'S' },
} as const

it('has nothing to say where no address is shared', () => {
  const found = judgeSharedAddress({ ...well, address: null, keepalived: null, answer: 'nobody' })
  expect(found).toMatchObject({ result: 'ok', fix: null })
})

it('is content with an address that a host answers at, whatever moves it', () => {
  expect(judgeSharedAddress(well).result).toBe('ok')
  expect(judgeSharedAddress({ ...well, keepalived: null }).result).toBe('ok')
})

it.each([
  ['certificates that lack it', { address: null }, /certificates lack it/],
  ['another address', { address: '10.0.0.10' }, /another address or port than 10\.0\.0\.10:8773/],
  ['another port', { port: 877 }, /another address or port/],
  ['no keepalived', { keepalived: { config, state: null } }, /never takes the address/],
  ['one that is stopped', { keepalived: { config, state: 'T' } }, /SIGSTOP/],
  ['an old certificate', { answer: 'unnamed' }, /certificate without it/],
  ['another machine', { answer: 'stranger' }, /another machine/],
  ['an address without a host', { answer: 'nobody' }, /no host answers/],
  ['one that Pacemaker left', { keepalived: null, answer: 'nobody' }, /no host answers/],
] as const)('names %s, with a fix', (_, wrong, found) => {
  const result = judgeSharedAddress({ ...well, ...wrong })
  expect(result).toMatchObject({ result: 'fail', found: expect.stringMatching(found) })
  expect(result.fix).not.toBeNull()
})
