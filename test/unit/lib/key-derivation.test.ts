import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { deriveKey, derivePassword, PURPOSES } from '../../../src/lib/key-derivation.ts'

const SECRET = 'correct horse battery staple'

function hmac(key: string | Buffer, ...data: readonly (string | Buffer)[]): Buffer {
  const mac = createHmac('sha256', key)
  for (const part of data) mac.update(part)
  return mac.digest()
}

describe('deriveKey', () => {
  it('is HKDF as RFC 5869 has it', () => {
    const prk = hmac('atoll', SECRET)
    const first = hmac(prk, 'atoll/1/bus', Buffer.of(1))
    const second = hmac(prk, first, 'atoll/1/bus', Buffer.of(2))
    expect(deriveKey(SECRET, 'bus', 48)).toEqual(Buffer.concat([first, second]).subarray(0, 48))
  })

  it('never changes: hosts of all versions have to agree', () => {
    expect(derivePassword(SECRET, 'mariadb')).toBe(
      'ceee391538045ce0d37924117a2780d745568690a7bb0894a4f2928db9ee310e',
    )
  })

  it('gives each purpose a key of its own', () => {
    const keys = new Set(PURPOSES.map((purpose) => derivePassword(SECRET, purpose)))
    expect(keys.size).toBe(PURPOSES.length)
    expect(derivePassword(`${SECRET}.`, 'bus')).not.toBe(derivePassword(SECRET, 'bus'))
  })
})
