import { expect, it } from 'vitest'
import { ec2Architecture } from '../../../src/model/architecture.ts'

it.each([
  ['x64', 'x86_64'],
  ['amd64', 'x86_64'],
  ['x86_64', 'x86_64'],
  ['arm64', 'arm64'],
  ['aarch64', 'arm64'],
  ['386', 'i386'],
  ['riscv64', 'riscv64'],
])('%s is %s', (name, expected) => {
  expect(ec2Architecture(name)).toBe(expected)
})
