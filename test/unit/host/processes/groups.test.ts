import { expect, test } from 'vitest'
import { hierarchies } from '../../../../src/host/processes/groups.ts'

test.each([
  ['0::/user.slice\n', ['']],
  ['5:cpu,cpuacct:/\n4:cpuset:/\n1:name=systemd:/x\n', ['cpu,cpuacct', 'systemd']],
  ['', []],
])('the hierarchies of %j', (text, expected) => {
  expect(hierarchies(text)).toEqual(expected)
})
