/** Quotas as people read them. */
import { expect, it } from 'vitest'
import { isQuota, NOT_COUNTED, QUOTAS, quotaWords } from '../../../src/model/quotas.ts'

it('has a word for what is not counted', () => {
  const { usual, what } = QUOTAS.vcpus
  expect(usual).toBe(NOT_COUNTED)
  expect(quotaWords(usual, what)).toEqual({
    limit: 'unlimited',
    what: 'Most vCPUs of the instances of one account, stopped ones included',
  })
  expect(quotaWords(7, QUOTAS.addresses.what)).toEqual({
    limit: '7',
    what: 'Most floating IPs that one account may have allocated',
  })
  expect(isQuota('vcpus', NOT_COUNTED)).toBe(true)
})
