import fc from 'fast-check'
import { expect, test } from 'vitest'
import { renderSeed } from '../../../src/plan/nocloud.ts'
import { instance } from '../../../tools/kit/instance.ts'

test('user data comes through byte by byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 16_384 }), (bytes) => {
      const userData = Buffer.from(bytes).toString('base64')
      const given = renderSeed(instance(1, { userData })).get('user-data')
      expect(given).toEqual(Buffer.from(bytes))
    }),
  )
})

test('without key and user data there are still the files that cloud-init looks for', () => {
  const files = renderSeed(instance(1, { userData: null, publicKey: null }))
  expect([...files.keys()]).toEqual(['meta-data', 'user-data', 'network-config'])
  expect(files.get('user-data')).toHaveLength(0)
  expect(JSON.parse(String(files.get('meta-data')))).toMatchObject({ 'public-keys': [] })
})
