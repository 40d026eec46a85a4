import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { enlargeTables } from '../../../../src/host/processes/tables.ts'
import { silentLog } from '../../../../tools/kit/log.ts'

const setting = (name: string) => Number(readFileSync(`/proc/sys/kernel/keys/${name}`, 'utf8'))

it('the keys of one user are enough for many thousands of containers', async () => {
  // Linux's own, with which some 200 containers of an engine with a user namespace start.
  writeFileSync('/proc/sys/kernel/keys/maxkeys', '200')
  writeFileSync('/proc/sys/kernel/keys/maxbytes', '20000')
  await enlargeTables(silentLog)
  expect(setting('maxkeys')).toBe(20_000)
  expect(setting('maxbytes')).toBe(2_000_000)
})
