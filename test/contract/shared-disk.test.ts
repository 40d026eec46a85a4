/**
 * A machine whose disk is on a shared directory: killed on one host, it is made on another one from
 * what it had written, and nobody else can open the disk of one that runs.
 */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceWant } from '../../src/model/want.ts'
import { canRunMachines, tinyGuest } from '../../tools/kit/tiny-guest.ts'
import { type QemuFixture, startQemuFixture } from '../kit/machines.ts'
import { numbered } from '../kit/records.ts'
import { createSharedFixture, type SharedFixture } from '../kit/shared-directory.ts'

const DEADLINE_MS = 120_000
/** Of the instance. The gateway has the first address, and answers before any guest does. */
const NUMBER = 4
const volume = numbered('vol', 1)
const never = new AbortController().signal
const execute = promisify(execFile)

describe.skipIf(!canRunMachines())('a shared disk', { timeout: 3 * DEADLINE_MS }, () => {
  let shared: SharedFixture
  let host: QemuFixture
  const path = () => join(shared.settings.path, 'volumes', volume, 'disk.qcow2')

  beforeAll(async () => {
    shared = await createSharedFixture()
  })
  afterAll(async () => {
    await host?.close()
    await shared.remove()
  })

  /** Another host, where the instance has a record. */
  async function begin(ran: boolean): Promise<{ want: InstanceWant; digest: string }> {
    const { kernelPath, initrdPath, location } = await tinyGuest()
    host = await startQemuFixture([dirname(kernelPath), dirname(initrdPath)], shared.open())
    const disk = { volume, sizeGiB: 1, keep: false, storage: shared.storage }
    const want = await host.prepare(NUMBER, location, { disk, ran })
    const found = await host.settle(want.image)
    if (found.kind !== 'ready') throw new Error(`${want.image.location} is ${found.kind}`)
    return { want, digest: found.digest }
  }

  const untilAnswers = (want: InstanceWant) =>
    expect.poll(() => host.answers(want), { timeout: DEADLINE_MS }).toBe(true)

  it("goes on elsewhere with what was written, and is nobody else's meanwhile", async () => {
    const { want, digest } = await begin(false)
    await host.freshDriver().launch(want, digest, never)
    await untilAnswers(want)
    await host.inside(want, 'printf 0123456789ab >/dev/vda; sync')
    await expect(execute('qemu-img', ['info', path()])).rejects.toThrow('lock')
    const flags = await execute('bash', [
      '-c',
      'for fd in /proc/"$1"/fd/*; do [ "$(readlink "$fd")" != "$2" ] || grep flags "/proc/$1/fdinfo/$(basename "$fd")"; done',
      ...['flags', String(await host.pidOf(want)), path()],
    ])
    // O_DIRECT (open(2)): what is used.
    expect(flags.stdout).toMatch(/flags:\s+0\d*4\d{4}/)
    // All of that host ends.
    await host.close()
    const next = await begin(true)
    await host.freshDriver().launch(next.want, next.digest, never)
    await untilAnswers(next.want)
    expect(await host.inside(next.want, 'head -c 12 /dev/vda')).toContain('0123456789ab')
    await host.freshDriver().remove(next.want.id, null)
    await expect(execute('qemu-img', ['info', path()])).resolves.toMatchObject({ stderr: '' })
    // One that ran is not made anew.
    await rm(path())
    await expect(host.freshDriver().launch(next.want, next.digest, never)).rejects.toMatchObject({
      kind: 'refused',
    })
  })
})
