import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { GUEST_ENTRY_FILE, renderKit } from '../../../src/containers/guest-kit.ts'
import { UNRUNNABLE_EXIT_CODE } from '../../../src/plan/workloads.ts'
import { instance } from '../../../tools/kit/instance.ts'

describe('guest kits', () => {
  const file = (want: Parameters<typeof renderKit>[0], name: string, firstBoot = true) =>
    renderKit(want, firstBoot).find((one) => one.name === name)

  test('only user data that starts with #! may be run', () => {
    const script = Buffer.from('#!/bin/sh\n').toString('base64')
    expect(file(instance(1, { userData: script }), 'user-data')?.mode).toBe(0o755)
    expect(file(instance(1), 'user-data')?.mode).toBe(0o644)
    expect(file(instance(1, { userData: null }), 'user-data')?.content).toBeNull()
  })

  test('the entry script has the exit code that the plan knows', async () => {
    const script = await readFile(GUEST_ENTRY_FILE, 'utf8')
    expect(/^unrunnable_exit_code=(\d+)$/m.exec(script)?.[1]).toBe(String(UNRUNNABLE_EXIT_CODE))
  })

  test('the first boot is marked and later ones are not', () => {
    expect(file(instance(1), 'first-boot')?.content).toBe(`${instance(1).id}\n`)
    expect(file(instance(1), 'first-boot', false)?.content).toBeNull()
  })
})
